package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import java.util.ArrayList;
import java.util.List;

/**
 * What a twin's QEMU writes onto this copy's store while this side is the standby. Counted: until all of it has ended nobody else may
 * write there, though the twin be dead. On the event loop.
 */
final class TwinBacking {
    private final List<Runnable> waiting = new ArrayList<>();
    private boolean open;
    private int underWay;

    /** Whether a standby's QEMU may write: only that of a twin, which writes what the active wrote. */
    void open(boolean now) {
        open = now;
    }

    boolean isOpen() {
        return open;
    }

    /** Counts a request from now until it is answered. */
    NbdReply counted(NbdReply reply) {
        underWay++;
        return new NbdReply() {
            @Override
            public void done() {
                reply.done();
                ended();
            }

            @Override
            public void failed(NbdError failure) {
                reply.failed(failure);
                ended();
            }

            @Override
            public void abandon() {
                reply.abandon();
                ended();
            }
        };
    }

    private void ended() {
        if (--underWay == 0) {
            List<Runnable> told = List.copyOf(waiting);
            waiting.clear();
            told.forEach(Runnable::run);
        }
    }

    /** Runs it when nothing is under way: at once, or later. */
    void whenIdle(Runnable then) {
        if (underWay == 0) {
            then.run();
        } else {
            waiting.add(then);
        }
    }
}

package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.arbiter.AnnounceResult;
import dev.pairvm.mirror.arbiter.Arbiter;
import dev.pairvm.mirror.arbiter.CasResult;
import dev.pairvm.mirror.arbiter.ReadResult;
import dev.pairvm.mirror.control.MirrorMetrics;
import java.util.List;
import java.util.function.Consumer;

/** Counts how each exchange with the arbiter ended. */
record MeteredArbiter(MirrorMetrics metrics, Arbiter arbiter) implements Arbiter {
    @Override
    public void read(Consumer<ReadResult> answer) {
        arbiter.read(counted("read", answer));
    }

    @Override
    public void compareAndSwap(String expectedVersion, ArbiterRecord next, Consumer<CasResult> answer) {
        arbiter.compareAndSwap(expectedVersion, next, counted("compare_and_swap", answer));
    }

    @Override
    public void announceAddresses(CopyId own, List<String> addresses, Consumer<AnnounceResult> answer) {
        arbiter.announceAddresses(own, addresses, counted("announce", answer));
    }

    @Override
    public void close() {
        arbiter.close();
    }

    private <T> Consumer<T> counted(String operation, Consumer<T> answer) {
        return result -> {
            metrics.arbiterCall(operation, result);
            answer.accept(result);
        };
    }
}

package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoop;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** A link between two mirrors of one test process, on one event loop; can be cut. Frames keep their order. */
final class InProcessLink {
    private final EventLoop loop;
    private final End a = new End();
    private final End b = new End();
    private boolean up;
    private int connections;

    private volatile long resynced;

    InProcessLink(EventLoop loop, CopyId first, CopyId second) {
        this.loop = loop;
        a.own = first;
        a.other = b;
        b.own = second;
        b.other = a;
        loop.scheduleAtFixedRate(this::beacons, 50, 50, TimeUnit.MILLISECONDS);
    }

    End first() {
        return a;
    }

    End second() {
        return b;
    }

    /** Payload of resync frames since the start, both ways. */
    long resyncedBytes() {
        return resynced;
    }

    void connect() {
        up = true;
        connections++;
        a.engine().post(new Event.LinkUp(b.own));
        b.engine().post(new Event.LinkUp(a.own));
    }

    void cut(Cause cause) {
        if (up) {
            up = false;
            a.down(cause);
            b.down(cause);
        }
    }

    private void beacons() {
        if (up) {
            a.beacon();
            b.beacon();
        }
    }

    /** One side's end. */
    final class End implements PeerPort {
        private CopyId own = new CopyId("x");
        private End other = this;
        private @Nullable MirrorEngine engineOrNothing;
        private long session;
        private boolean granting;
        private long heardSentAt;
        private long lastGranted;
        private int holding;
        private boolean held;
        private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();

        void engine(MirrorEngine engine) {
            engineOrNothing = engine;
        }

        private MirrorEngine engine() {
            MirrorEngine engine = engineOrNothing;
            if (engine == null) {
                throw new IllegalStateException("no engine at " + own);
            }
            return engine;
        }

        /** Frames of this end wait from now, beacons do not; or go on, in order. On the loop. */
        void hold(boolean hold) {
            held = hold;
            while (!held && !waiting.isEmpty()) {
                loop.execute(waiting.remove());
            }
        }

        private void down(Cause cause) {
            session = 0;
            engine().post(new Event.LinkDown(other.own, cause));
        }

        private void beacon() {
            if (session == 0 || other.session != session) {
                return;
            }
            long sentAt = System.nanoTime();
            long granted = granting ? heardSentAt : 0;
            if (granting) {
                lastGranted = sentAt;
            }
            other.heardSentAt = sentAt;
            other.engine().postBeacon(new Event.BeaconHeard(session, System.nanoTime(), granted));
        }

        @Override
        public void send(CopyId peer, Message message, @Nullable ByteBuf payload) {
            if (!up) {
                return;
            }
            if (message instanceof Message.ResyncData && payload != null) {
                resynced += payload.readableBytes();
            }
            ByteBuf copy = payload == null
                    ? null
                    : PooledByteBufAllocator.DEFAULT
                            .directBuffer(payload.readableBytes())
                            .writeBytes(payload.duplicate());
            holding++;
            int of = connections;
            Runnable arrive = () -> {
                holding--;
                if (up && of == connections) {
                    other.engine().postFrame(own, message, copy);
                }
                if (copy != null) {
                    copy.release();
                }
            };
            if (held) {
                waiting.add(arrive);
            } else {
                loop.execute(arrive);
            }
        }

        @Override
        public boolean holdsFrames() {
            return holding > 0;
        }

        @Override
        public void drop(CopyId peer, String why) {
            loop.execute(() -> {
                if (up) {
                    up = false;
                    down(Cause.CLOSED_HERE);
                    other.down(Cause.CLOSED_BY_PEER);
                    loop.schedule(InProcessLink.this::connect, 100, TimeUnit.MILLISECONDS);
                }
            });
        }

        @Override
        public void setBeacons(CopyId peer, long newSession, boolean grants) {
            session = newSession;
            granting = grants;
        }

        @Override
        public void stopGranting(LongConsumer lastHeardAt) {
            granting = false;
            lastHeardAt.accept(lastGranted);
        }

        @Override
        public void stopBeacons() {
            session = 0;
        }
    }
}

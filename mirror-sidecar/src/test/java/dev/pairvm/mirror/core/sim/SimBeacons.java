package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.Event;
import org.jspecify.annotations.Nullable;

/** The beacon thread of one life of a mirror: it runs even if the loop is stalled, but not if the host is paused. */
final class SimBeacons {
    private final SimMirror mirror;
    private final SimNode node;
    private final Sim sim;
    private long session;
    private @Nullable SimNode peer;
    private boolean granting;
    private long lastGrantAt;

    SimBeacons(SimMirror mirror) {
        this.mirror = mirror;
        this.node = mirror.node;
        this.sim = mirror.node.sim;
    }

    void begin() {
        sim.world.afterMillis(50, () -> {
            if (mirror.alive()) {
                if (!node.paused() && !mirror.stuck()) {
                    beacon(0);
                }
                begin();
            }
        });
    }

    void set(SimNode to, long newSession, boolean grants) {
        peer = to;
        session = newSession;
        granting = grants;
        beacon(0);
    }

    void stopGranting(long token) {
        granting = false;
        mirror.later(0.05, new Event.GrantingStopped(token, lastGrantAt));
    }

    void stop() {
        session = 0;
    }

    private void beacon(long granted) {
        long of = session;
        SimNode at = peer;
        if (of != 0 && at != null) {
            long sentAt = node.clock();
            sim.net.datagram(mirror, at, to -> to.beacons.hear(of, sentAt, granted));
        }
    }

    private void hear(long of, long sentAt, long granted) {
        if (!mirror.alive()) {
            return;
        }
        if (node.paused()) {
            sim.world.after(node.pausedUntil - sim.world.now() + 1, () -> hear(of, sentAt, granted));
            return;
        }
        if (of != session) {
            return;
        }
        long receivedAt = node.clock();
        if (granting && granted == 0 && !mirror.stuck()) {
            lastGrantAt = receivedAt;
            beacon(sentAt);
        }
        mirror.deliver(new Event.BeaconHeard(of, receivedAt, granted));
    }
}

package dev.pairvm.mirror.core;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What this side does when its lead, or a lead that wants to fill it, asks for a larger disk. */
final class GrowthOfFollower {
    private final Side side;
    private final Standing at;
    private @Nullable Asked asked;

    private record Asked(Link from, Message.Grow message) {}

    GrowthOfFollower(Side side, Standing at) {
        this.side = side;
        this.at = at;
    }

    void asked(Link from, Message.Grow m) {
        if (m.session() != from.session()) {
            return;
        }
        if (!Growth.wellFormed(side.sizes, m.disk(), m.bytes())) {
            side.drop(from, "a growth out of bounds");
            return;
        }
        Asked before = asked;
        String refusal = refusal(m);
        if (!refusal.isEmpty()) {
            refuse(from, m, refusal);
        } else if (side.sizes.of(m.disk()) >= m.bytes()) {
            confirm(from, m);
        } else if (before != null
                && before.message().disk() == m.disk()
                && before.message().bytes() == m.bytes()) {
            asked = new Asked(from, m);
        } else if (before != null || side.room.busy()) {
            refuse(from, m, "room is being made for another disk");
        } else {
            asked = new Asked(from, m);
            long had = side.sizes.of(m.disk());
            side.room.make(m.disk(), m.bytes(), why -> roomMade(had, why));
        }
    }

    private String refusal(Message.Grow m) {
        if (at.copyFailed || side.state() == CopyState.FAILED) {
            return "this copy failed";
        }
        if (at.stopping) {
            return "this mirror is stopping";
        }
        return m.epoch() < side.superblock.durable().maxEpochSeen().value() ? "a higher epoch is known" : "";
    }

    private void roomMade(long had, String why) {
        Asked now = asked;
        if (now == null) {
            return;
        }
        Message.Grow m = now.message();
        if (!why.isEmpty()) {
            asked = null;
            side.problems.raise(
                    Problem.Kind.DISK_NOT_GROWN,
                    "This copy can not let disk " + m.disk() + " grow to " + m.bytes() + " bytes: " + why + ".",
                    Map.of("copy", side.self().value(), "disk", Integer.toString(m.disk())));
            refuse(now.from(), m, why);
        } else if (at.lead != null || side.sizes.of(m.disk()) != had || side.state() == CopyState.FAILED) {
            // Safety: a side that leads by now does not outgrow its follower, and the zeros begin where the disk ended
            // then.
            asked = null;
            refuse(now.from(), m, "this side has changed meanwhile");
        } else {
            side.superblock.change(durable -> durable, () -> sizesFrom(had, m), () -> {
                Asked last = asked;
                asked = null;
                side.problems.clear(Problem.Kind.DISK_NOT_GROWN);
                if (last != null) {
                    answer(last);
                }
                at.ifLeading(Lead::outgrew);
                side.publish();
            });
        }
    }

    private List<Long> sizesFrom(long had, Message.Grow m) {
        return side.sizes.of(m.disk()) == had ? side.sizes.with(m.disk(), m.bytes()) : side.sizes.all();
    }

    private void answer(Asked last) {
        if (side.sizes.of(last.message().disk()) >= last.message().bytes()) {
            confirm(last.from(), last.message());
        } else {
            refuse(last.from(), last.message(), "this side has changed meanwhile");
        }
    }

    private void confirm(Link to, Message.Grow m) {
        if (side.links.get(to.peer) == to) {
            long bytes = side.sizes.of(m.disk());
            side.send(to, new Message.Grown(m.epoch(), to.session(), m.disk(), bytes));
        }
    }

    private void refuse(Link to, Message.Grow m, String why) {
        if (side.links.get(to.peer) == to) {
            side.send(to, new Message.NotGrown(m.epoch(), to.session(), m.disk(), m.bytes(), why));
        }
    }
}

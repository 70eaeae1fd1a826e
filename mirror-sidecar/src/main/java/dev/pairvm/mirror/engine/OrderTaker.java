package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.mirror.control.OrderDesk;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Takes the operator's orders. Safety: an order decided on an older epoch is refused before anything else is looked at, for what
 * it was decided on is no longer so.
 */
final class OrderTaker implements OrderDesk {
    private final MirrorConfig config;
    private final MirrorEngine engine;
    private final ServedSizes sizes;
    private final Verifications verifications;
    private final @Nullable GuestDesk guest;
    private final @Nullable TwinDesk twins;

    OrderTaker(
            MirrorConfig config,
            MirrorEngine engine,
            ServedSizes sizes,
            Verifications verifications,
            @Nullable GuestDesk guest,
            @Nullable TwinDesk twins) {
        this.config = config;
        this.engine = engine;
        this.sizes = sizes;
        this.verifications = verifications;
        this.guest = guest;
        this.twins = twins;
    }

    @Override
    public Outcome take(MirrorOrder order) {
        CoreView view = engine.view();
        Epoch own = new Epoch(view.epoch());
        if (own.fences(order.epoch())) {
            return new Outcome.Stale(own);
        }
        return switch (order) {
            case MirrorOrder.Switchover switchover -> take(switchover, view);
            case MirrorOrder.Leave leave -> take(leave, view);
            case MirrorOrder.Grow grow -> take(grow, view);
            case MirrorOrder.SetRunning set -> {
                if (guest == null) {
                    yield new Outcome.Impossible("this mirror serves disks only");
                }
                guest.wish(set.running(), Duration.ofSeconds(set.graceSeconds()));
                yield new Outcome.Begun();
            }
            case MirrorOrder.Verify verify -> verifications.take(verify, view);
            case MirrorOrder.SetTwin set -> take(set);
        };
    }

    private Outcome take(MirrorOrder.SetTwin order) {
        TwinDesk level3 = twins;
        if (level3 == null) {
            return new Outcome.Impossible(
                    "this pod can not have level 3: it has no QEMU container, or no place for overlays");
        }
        if (level3.wished() == order.on() && level3.policy().equals(order.checkpoint())) {
            return new Outcome.Done();
        }
        level3.wish(order.on(), order.checkpoint());
        return new Outcome.Begun();
    }

    private Outcome take(MirrorOrder.Switchover order, CoreView view) {
        Optional<ArbiterRecord> known = view.arbiter();
        if (known.isPresent() && known.get().active().equals(order.to())) {
            return new Outcome.Done();
        }
        if (view.role() != Role.ACTIVE) {
            return new Outcome.Impossible("copy " + config.copy() + " is not the active; send the order to the active");
        }
        if (known.isEmpty() || !known.get().inSync().contains(order.to())) {
            return new Outcome.Impossible("copy " + order.to() + " is not in sync; wait until the pair is whole");
        }
        Runnable handOver = () -> engine.post(new Event.HandOverRequested(order.to()));
        TwinDesk level3 = twins;
        if (level3 == null) {
            handOver.run();
        } else {
            level3.afterCheckpoint(handOver);
        }
        return new Outcome.Begun();
    }

    private Outcome take(MirrorOrder.Grow order, CoreView view) {
        int disk = config.disks().stream().map(MirrorConfig.Disk::name).toList().indexOf(order.disk());
        if (disk < 0) {
            return new Outcome.Impossible("this machine has no disk " + order.disk());
        }
        if (order.bytes() == sizes.of(disk)) {
            return new Outcome.Done();
        }
        if (order.bytes() < sizes.of(disk)) {
            return new Outcome.Impossible("disk " + order.disk() + " has " + sizes.of(disk)
                    + " bytes; it can grow, but not shrink to " + order.bytes());
        }
        if (view.role() != Role.ACTIVE) {
            return new Outcome.Impossible("copy " + config.copy() + " is not the active; send the order to the active");
        }
        engine.post(new Event.GrowRequested(disk, order.bytes()));
        return new Outcome.Begun();
    }

    private Outcome take(MirrorOrder.Leave order, CoreView view) {
        Optional<ArbiterRecord> known = view.arbiter();
        if (known.isPresent() && !known.get().inSync().contains(order.copy())) {
            return new Outcome.Done();
        }
        if (view.role() != Role.ACTIVE) {
            return new Outcome.Impossible("copy " + config.copy() + " is not the active; send the order to the active");
        }
        if (order.copy().equals(config.copy())) {
            return new Outcome.Impossible("the active's own copy can not leave; switch over first");
        }
        engine.post(new Event.LeaveRequested(order.copy()));
        return new Outcome.Begun();
    }
}

package dev.pairvm.mirror.core;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a disk grows under a lead that serves it: room here ⇒ the follower has room, and durably the new size ⇒ the size is durable here ⇒
 * it is served. The same for a peer that is to follow and is smaller.
 *
 * <p>Safety: (1) a follower's disk is at least as large as its lead's, so no write can lie beyond it: this side's size rises only when
 * the follower has confirmed, nobody is attached in between, and nobody smaller is attached. (2) What lies between a lead's size and a
 * larger follower's are zeros, as they are here when this side's size rises: both make them durable before, and nobody can write there.
 * So both copies stay in sync, and there is nothing to copy.
 */
final class Growth {
    private static final long ASK_AGAIN_NANOS = 10_000_000_000L;
    /** What the file formats and the API take: 64 TiB. */
    static final long MOST_BYTES = 64L << 40;

    private final Side side;
    private final Lead lead;
    private @Nullable Order order;
    /** The superblock with the new size is on its way. */
    private boolean committing;

    private static final class Order {
        final int disk;
        final long bytes;
        boolean room;
        boolean makingRoom;

        @Nullable
        Link asked;

        Order(int disk, long bytes) {
            this.disk = disk;
            this.bytes = bytes;
        }
    }

    Growth(Side side, Lead lead) {
        this.side = side;
        this.lead = lead;
    }

    /** Whether a size may have been promised by one side and not the other: no moment to change the active. */
    boolean underWay() {
        return order != null;
    }

    /** Nobody may be attached: this side's size is just rising. */
    boolean committing() {
        return committing;
    }

    static boolean wellFormed(DiskSizes sizes, int disk, long bytes) {
        return disk >= 0 && disk < sizes.count() && bytes > 0 && bytes % 512 == 0 && bytes <= MOST_BYTES;
    }

    void request(Event.GrowRequested wish) {
        String refusal = refusal(wish);
        if (!refusal.isEmpty()) {
            ended(refusal);
        } else if (wish.bytes() <= side.sizes.of(wish.disk())) {
            ended("");
        } else if (order == null) {
            order = new Order(wish.disk(), wish.bytes());
            goOn();
        }
    }

    private String refusal(Event.GrowRequested wish) {
        Order before = order;
        if (!wellFormed(side.sizes, wish.disk(), wish.bytes())) {
            return "there is no disk " + wish.disk() + " that could have " + wish.bytes() + " bytes";
        }
        if (before != null && (before.disk != wish.disk() || before.bytes != wish.bytes())) {
            return "disk " + before.disk + " is growing to " + before.bytes + " bytes already";
        }
        if (!lead.serving() || lead.diskFailed()) {
            return "this side does not serve from its own disks now";
        }
        if (lead.handOver().underWay()) {
            return "the guest is being handed over";
        }
        Link link = lead.attachedLink();
        if (link == null && !lead.alone()) {
            return "the copy in sync with this one is away";
        }
        return link != null && !link.grows ? "the peer's mirror is of a release that can not let a disk grow" : "";
    }

    /** Takes the next step that can be taken; called whenever one may have become possible. */
    void goOn() {
        Order now = order;
        if (now == null || committing) {
            return;
        }
        if (!now.room) {
            if (!now.makingRoom && !side.room.busy()) {
                now.makingRoom = true;
                side.room.make(now.disk, now.bytes, why -> roomHere(now, why));
            }
            return;
        }
        if (lead.diskFailed()) {
            end("this side's disk failed");
            return;
        }
        if (!lead.settled() || lead.followed().attaching() || lead.handOver().underWay()) {
            return;
        }
        if (lead.twin().stage() != TwinStage.NONE) {
            return; // a twin's QEMU has the disks open as they are; it ends for a growth, and begins again after it
        }
        Link link = lead.attachedLink();
        if (link == null && !lead.alone()) {
            end("the copy in sync with this one went away meanwhile");
        } else if (link != null && link.bytesOf(now.disk) < now.bytes && side.rules.growsFollowerFirst()) {
            if (now.asked != link) {
                now.asked = link;
                side.send(link, new Message.Grow(lead.epoch(), link.session(), now.disk, now.bytes));
            }
        } else {
            commit(now);
        }
    }

    private void roomHere(Order of, String why) {
        of.makingRoom = false;
        if (order != of) {
            return;
        }
        if (why.isEmpty()) {
            of.room = true;
            goOn();
        } else {
            problem(side.self().value(), of.disk, of.bytes, why);
            end(why);
        }
    }

    private void commit(Order now) {
        committing = true;
        side.superblock.change(durable -> durable, () -> side.sizes.with(now.disk, now.bytes), () -> {
            committing = false;
            if (order == now) {
                side.problems.clear(Problem.Kind.DISK_NOT_GROWN);
                end("");
                // What they were told of this side's sizes is no longer so.
                List.copyOf(side.links.values()).stream()
                        .filter(link -> link != lead.attachedLink())
                        .forEach(link -> side.drop(link, "a disk has grown since the hello"));
                lead.followed().attachIfPossible();
            }
        });
    }

    private void end(String refusal) {
        order = null;
        ended(refusal);
        side.publish();
    }

    private void ended(String refusal) {
        side.out.emit(new Effect.OrderEnded(Effect.Order.GROW, refusal));
    }

    /** Whether the candidate holds all that this side serves. If not, it is asked to grow first, for it is to be filled. */
    boolean fits(Link candidate) {
        int smaller = candidate.smaller(side.sizes);
        if (smaller >= 0 && candidate.grows && side.out.now() - candidate.askedToGrowAt >= ASK_AGAIN_NANOS) {
            candidate.askedToGrowAt = side.out.now();
            side.send(candidate, new Message.Grow(lead.epoch(), candidate.session(), smaller, side.sizes.of(smaller)));
        }
        return smaller < 0;
    }

    void grown(Link from, Message.Grown message) {
        if (message.session() == from.session() && wellFormed(side.sizes, message.disk(), message.bytes())) {
            from.grown(message.disk(), message.bytes());
            from.askedToGrowAt = Link.NEVER_ASKED;
            if (!underWay()) {
                side.problems.clear(Problem.Kind.DISK_NOT_GROWN);
            }
            goOn();
            lead.followed().attachIfPossible();
        }
    }

    void notGrown(Link from, Message.NotGrown message) {
        if (message.session() != from.session()) {
            return;
        }
        problem(from.peer.value(), message.disk(), message.bytes(), message.reason());
        Order now = order;
        if (now != null && now.asked == from) {
            end("copy " + from.peer + " can not hold it: " + message.reason());
        }
    }

    private void problem(String copy, int disk, long bytes, String why) {
        side.problems.raise(
                Problem.Kind.DISK_NOT_GROWN,
                "Copy " + copy + " can not let disk " + disk + " grow to " + bytes + " bytes: " + why
                        + ". The machine runs on with the size that it has.",
                Map.of("copy", copy, "disk", Integer.toString(disk), "bytes", Long.toString(bytes)));
    }

    /** The follower is gone: who follows next is asked anew. */
    void peerLost(Link gone) {
        Order now = order;
        if (now != null && now.asked == gone) {
            end("the peer was lost");
        }
    }
}

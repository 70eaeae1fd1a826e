package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import java.util.List;
import java.util.TreeSet;

/** Hello on a new link, and after a hand-over on the old one: tell who we are, check who they are. */
final class Greetings {
    private final Side side;

    Greetings(Side side) {
        this.side = side;
    }

    void linkUp(Event.LinkUp up, Role role) {
        Link link = new Link(up.peer(), side.words.next());
        link.answersReads = up.answersReads();
        link.verifies = up.verifies();
        link.grows = up.grows();
        link.comparesPieces = up.comparesPieces();
        side.links.put(up.peer(), link);
        say(link, role);
    }

    /**
     * This side led and leads no more, on a link that stays: the one who leads now must know how this copy stands, and decides nothing on
     * an older hello. Waits for the superblock, for only what is durable is said of it.
     */
    void again(Link link) {
        if (side.state() == CopyState.FAILED) {
            // That is all that matters of it, and its device may never take down anything again.
            say(link, Role.IDLE);
            return;
        }
        side.superblock.change(durable -> durable, () -> {
            if (side.links.get(link.peer) == link) {
                say(link, Role.IDLE);
            }
        });
    }

    private void say(Link link, Role role) {
        Superblock own = side.superblock.durable();
        ArbiterRecord known = side.desk.known();
        TreeSet<Extent> differing =
                new TreeSet<>(java.util.Comparator.comparingInt(Extent::disk).thenComparingInt(Extent::index));
        differing.addAll(side.foundHot);
        side.foundDirty.forEach(mask -> differing.add(new Extent(mask.disk(), mask.index())));
        side.send(
                link,
                new Message.Hello(
                        Message.PROTOCOL,
                        Math.max(
                                own.maxEpochSeen().value(),
                                known == null ? 0 : known.epoch().value()),
                        side.config.machineUid(),
                        side.self(),
                        side.config.life(),
                        link.seed,
                        role,
                        side.state(),
                        own.lineage(),
                        side.sizes.all(),
                        List.copyOf(differing)));
    }

    /** Whether the session exists from now; if not, the link was dropped. */
    boolean hello(Link link, Message.Hello hello) {
        String refusal = refusal(link, hello);
        if (!refusal.isEmpty()) {
            side.drop(link, refusal);
            return false;
        }
        link.greeted(side.self(), hello);
        return true;
    }

    private String refusal(Link link, Message.Hello hello) {
        if (hello.protocol() != Message.PROTOCOL) {
            return "protocol " + hello.protocol() + ", this side speaks " + Message.PROTOCOL;
        }
        if (!hello.machineUid().equals(side.config.machineUid())) {
            return "hello of machine " + hello.machineUid();
        }
        if (!hello.copy().equals(link.peer) || hello.copy().equals(side.self())) {
            return "hello of copy " + hello.copy() + " on the link of " + link.peer;
        }
        if (hello.diskBytes().size() != side.sizes.count()) {
            return "a hello of " + hello.diskBytes().size() + " disks, here are " + side.sizes.count();
        }
        if (hello.diskBytes().stream().anyMatch(bytes -> bytes <= 0 || bytes % 512 != 0 || bytes > Growth.MOST_BYTES)) {
            return "disks of impossible sizes " + hello.diskBytes();
        }
        return link.session() != 0 && !link.renewedBy(hello) ? "a second hello" : "";
    }
}

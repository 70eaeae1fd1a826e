package dev.pairvm.api.mirror;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/**
 * What the operator asks of a mirror, at {@code POST /v1/orders}. Each carries the epoch that the operator saw; a mirror that
 * knows a higher one refuses with 409 and its own epoch, and nothing changes. An order is a wish with a defined end, safe to send
 * again: 200 done already, 202 begun, 409 stale or impossible now (with a reason), 400 malformed.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({
    @JsonSubTypes.Type(value = MirrorOrder.Switchover.class, name = "Switchover"),
    @JsonSubTypes.Type(value = MirrorOrder.Leave.class, name = "Leave"),
    @JsonSubTypes.Type(value = MirrorOrder.SetRunning.class, name = "SetRunning"),
    @JsonSubTypes.Type(value = MirrorOrder.Verify.class, name = "Verify"),
    @JsonSubTypes.Type(value = MirrorOrder.Grow.class, name = "Grow"),
    @JsonSubTypes.Type(value = MirrorOrder.SetTwin.class, name = "SetTwin")
})
public sealed interface MirrorOrder {
    /** The epoch the operator decided on. */
    Epoch epoch();

    /** To the active: hand the guest over to its in-sync peer, losing nothing. */
    record Switchover(Epoch epoch, CopyId to) implements MirrorOrder {}

    /**
     * To the active: let {@code copy} leave. Its in-sync set shrinks politely; the copy is durably outdated first where it can
     * be reached. Used before a standby's pod is replaced or a lost copy is given up.
     */
    record Leave(Epoch epoch, CopyId copy) implements MirrorOrder {}

    /** To the active: the wished power state of the guest; off is asked of the guest first, then forced after the grace. */
    record SetRunning(Epoch epoch, boolean running, long graceSeconds) implements MirrorOrder {}

    /**
     * To the active: compare both copies while the guest works, and repair the standby's where they differ. While one verification is
     * under way another order begins nothing; the report names whose it is.
     *
     * @param id who asks, 1 to {@value #MOST_ID} printable characters; {@link MirrorReport.Verify#id} carries it, and an order of the last
     *     one's id is done already
     */
    record Verify(Epoch epoch, String id) implements MirrorOrder {
        /** Longest id. */
        public static final int MOST_ID = 64;

        /** Checks the id; throws {@link IllegalArgumentException}. */
        public Verify {
            if (id.isEmpty() || id.length() > MOST_ID || !id.chars().allMatch(c -> c > ' ' && c < 127)) {
                throw new IllegalArgumentException("id must have 1 to " + MOST_ID + " printable characters");
            }
        }
    }

    /**
     * To the active: let a disk grow while it runs, on its follower and then here. Sent when the volumes of both are large enough.
     *
     * @param disk name of the disk
     * @param bytes the size wished for, a positive multiple of 4096, at most 64 TiB; a smaller one than the disk has is refused
     */
    record Grow(Epoch epoch, String disk, long bytes) implements MirrorOrder {
        /** 64 TiB, as the schema of the ProtectedVM. */
        public static final long MOST_BYTES = 64L << 40;

        /** Checks the bounds; throws {@link IllegalArgumentException} naming the field. */
        public Grow {
            if (bytes <= 0 || bytes % 4096 != 0 || bytes > MOST_BYTES) {
                throw new IllegalArgumentException(
                        "bytes must be a positive multiple of 4096 and at most " + MOST_BYTES + ", got " + bytes);
            }
        }
    }

    /**
     * To the active: whether the guest shall have a twin on the in-sync peer (level 3), and how its checkpoints go. Done already where the
     * report says so; the twin itself comes, and goes, as the pair allows. A mirror that takes over keeps the wish of the one before.
     */
    record SetTwin(Epoch epoch, boolean on, MirrorConfig.Checkpoint checkpoint) implements MirrorOrder {}
}

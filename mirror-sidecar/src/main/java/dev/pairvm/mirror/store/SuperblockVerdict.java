package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Superblock;
import dev.pairvm.mirror.store.SuperblockRead.Blank;
import dev.pairvm.mirror.store.SuperblockRead.Damaged;
import dev.pairvm.mirror.store.SuperblockRead.Found;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Takes the superblocks of a copy's disks together. */
final class SuperblockVerdict {
    private record Whole(long sequence, String disk, Superblock superblock) {}

    private SuperblockVerdict() {}

    static StoredSuperblock over(List<SuperblockRead> reads) {
        List<Whole> whole = new ArrayList<>();
        boolean someBlank = false;
        for (SuperblockRead read : reads) {
            switch (read) {
                case Blank() -> someBlank = true;
                case Damaged damaged -> {
                    return new StoredSuperblock.Damaged(damaged.ours(), damaged.reason());
                }
                case Found found -> {
                    Optional<Superblock> superblock = SuperblockCodec.decode(found.content());
                    if (superblock.isEmpty()) {
                        return new StoredSuperblock.Damaged(
                                true,
                                "superblock of disk " + found.disk()
                                        + " is whole but says nothing that this build knows");
                    }
                    whole.add(new Whole(found.sequence(), found.disk(), superblock.get()));
                }
            }
        }
        if (whole.isEmpty()) {
            return new StoredSuperblock.Blank();
        }
        return contradiction(whole)
                .<StoredSuperblock>map(reason -> new StoredSuperblock.Damaged(true, reason))
                .orElse(new StoredSuperblock.Found(worst(whole, someBlank)));
    }

    private static Optional<String> contradiction(List<Whole> whole) {
        Whole first = whole.getFirst();
        for (Whole other : whole) {
            if (!identity(other.superblock()).equals(identity(first.superblock()))) {
                return Optional.of("disk " + first.disk() + " belongs to " + identity(first.superblock()) + ", disk "
                        + other.disk() + " to " + identity(other.superblock())
                        + ": volumes of different copies are mounted together");
            }
        }
        return Optional.empty();
    }

    private static String identity(Superblock superblock) {
        return "copy " + superblock.copy() + " of machine " + superblock.machineUid();
    }

    private static Superblock worst(List<Whole> whole, boolean someBlank) {
        Whole chosen = whole.stream()
                .min(Comparator.<Whole>comparingInt(w -> rank(w.superblock().state()))
                        .thenComparingLong(Whole::sequence))
                .orElseThrow();
        Epoch maxSeen = whole.stream()
                .map(w -> w.superblock().maxEpochSeen())
                .max(Comparator.naturalOrder())
                .orElseThrow();
        boolean clean = whole.stream().allMatch(w -> w.superblock().clean() && w.sequence() == chosen.sequence());
        Superblock s = chosen.superblock();
        return someBlank
                ? new Superblock(
                        s.machineUid(),
                        s.arbiterUid(),
                        s.copy(),
                        CopyState.BLANK,
                        Epoch.NONE,
                        maxSeen,
                        Lineage.BLANK,
                        false)
                : new Superblock(
                        s.machineUid(),
                        s.arbiterUid(),
                        s.copy(),
                        s.state(),
                        s.epochLastInSync(),
                        maxSeen,
                        s.lineage(),
                        clean);
    }

    private static int rank(CopyState state) {
        return switch (state) {
            case BLANK -> 0;
            case FAILED -> 1;
            case SYNCING -> 2;
            case STALE -> 3;
            case IN_SYNC -> 4;
        };
    }
}

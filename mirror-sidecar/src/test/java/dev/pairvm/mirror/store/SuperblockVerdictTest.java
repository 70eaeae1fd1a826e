package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Superblock;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SuperblockVerdictTest {
    private static final Lineage LINEAGE = new Lineage(77, 66, List.of(55L, -44L));

    private static Superblock superblock(CopyState state, long maxSeen, boolean clean) {
        return new Superblock(
                "uid-1", "lease-1", new CopyId("b"), state, new Epoch(3), new Epoch(maxSeen), LINEAGE, clean);
    }

    private static SuperblockRead found(long sequence, Superblock superblock) {
        return new SuperblockRead.Found(sequence, "d" + sequence, 512, SuperblockCodec.encode(superblock));
    }

    private static Superblock taken(SuperblockRead... reads) {
        return ((StoredSuperblock.Found) SuperblockVerdict.over(List.of(reads))).superblock();
    }

    @Test
    void encodedSuperblockComesBack() {
        for (CopyState state : CopyState.values()) {
            Superblock superblock = superblock(state, 9, true);
            assertThat(SuperblockCodec.decode(SuperblockCodec.encode(superblock)))
                    .contains(superblock);
        }
    }

    @Test
    void bytesThatAreNoSuperblockAreAbsent() {
        byte[] good = SuperblockCodec.encode(superblock(CopyState.STALE, 9, false));
        for (int length = 0; length < good.length; length++) {
            assertThat(SuperblockCodec.decode(java.util.Arrays.copyOf(good, length)))
                    .isEmpty();
        }
        assertThat(SuperblockCodec.decode(java.util.Arrays.copyOf(good, good.length + 1)))
                .isEmpty();
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            byte[] mutated = good.clone();
            mutated[random.nextInt(mutated.length)] = (byte) random.nextInt(256);
            // Must not throw; whether it still means something depends on the byte.
            assertThat(SuperblockCodec.decode(mutated)).isNotNull();
        }
    }

    @Test
    void allBlankIsBlank() {
        assertThat(SuperblockVerdict.over(List.of(new SuperblockRead.Blank(), new SuperblockRead.Blank())))
                .isInstanceOf(StoredSuperblock.Blank.class);
    }

    @Test
    void anyDamagedIsDamaged() {
        assertThat(SuperblockVerdict.over(List.of(
                        found(4, superblock(CopyState.IN_SYNC, 9, true)), new SuperblockRead.Damaged(true, "torn"))))
                .isEqualTo(new StoredSuperblock.Damaged(true, "torn"));
    }

    @Test
    void blankDiskAmongOthersMakesTheCopyBlankButKeepsWhatItSaw() {
        Superblock taken = taken(found(4, superblock(CopyState.IN_SYNC, 9, true)), new SuperblockRead.Blank());
        assertThat(taken.state()).isEqualTo(CopyState.BLANK);
        assertThat(taken.maxEpochSeen()).isEqualTo(new Epoch(9));
        assertThat(taken.epochLastInSync()).isEqualTo(Epoch.NONE);
        assertThat(taken.lineage()).isEqualTo(Lineage.BLANK);
        assertThat(taken.clean()).isFalse();
    }

    @Test
    void worstStateWinsWhicheverDiskHasIt() {
        Superblock upgrade = taken(
                found(5, superblock(CopyState.IN_SYNC, 10, true)), found(4, superblock(CopyState.SYNCING, 9, true)));
        assertThat(upgrade.state()).isEqualTo(CopyState.SYNCING);
        Superblock downgrade = taken(
                found(4, superblock(CopyState.IN_SYNC, 9, true)), found(5, superblock(CopyState.FAILED, 10, true)));
        assertThat(downgrade.state()).isEqualTo(CopyState.FAILED);
        assertThat(downgrade.maxEpochSeen()).isEqualTo(new Epoch(10));
        assertThat(downgrade.clean()).isFalse();
    }

    @Test
    void cleanOnlyWhenAllAreOfOneWriteAndClean() {
        assertThat(taken(
                                found(4, superblock(CopyState.IN_SYNC, 9, true)),
                                found(4, superblock(CopyState.IN_SYNC, 9, true)))
                        .clean())
                .isTrue();
        assertThat(taken(
                                found(4, superblock(CopyState.IN_SYNC, 9, true)),
                                found(3, superblock(CopyState.IN_SYNC, 9, true)))
                        .clean())
                .isFalse();
    }

    @Test
    void disksOfDifferentCopiesAreAContradiction() {
        Superblock other = new Superblock(
                "uid-1", "lease-1", new CopyId("a"), CopyState.IN_SYNC, new Epoch(3), new Epoch(9), LINEAGE, true);
        assertThat(SuperblockVerdict.over(List.of(found(4, superblock(CopyState.IN_SYNC, 9, true)), found(4, other))))
                .isInstanceOfSatisfying(
                        StoredSuperblock.Damaged.class,
                        damaged -> assertThat(damaged.reason())
                                .contains("copy b of machine uid-1", "copy a of machine uid-1"));
    }
}

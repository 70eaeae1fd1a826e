package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ActivityRingTest {
    private static final int EXTENTS = 5000;
    private static final int AREA_BYTES = 2 << 20;

    private static ActivityRing load(SimFile file) throws DiskException {
        return ActivityRing.load(new MetadataArea(file, 0, AREA_BYTES, true), EXTENTS);
    }

    private static BitSet extents(int... numbers) {
        BitSet set = new BitSet();
        for (int number : numbers) {
            set.set(number);
        }
        return set;
    }

    @Test
    void blankRingIsColdEverywhere() throws DiskException {
        ActivityRing ring = load(new SimFile(AREA_BYTES));
        assertThat(ring.hot()).isEqualTo(new BitSet());
        assertThat(ring.damaged()).isFalse();
    }

    @Test
    void heatAndCoolSurviveReopening() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        ActivityRing ring = load(file);
        ring.commit(extents(1, 2, 3, 4999), extents());
        ring.commit(extents(7), extents(2));
        assertThat(load(file).hot()).isEqualTo(extents(1, 3, 7, 4999));
    }

    @Test
    void heatWinsOverCoolOfTheSameRecord() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        ActivityRing ring = load(file);
        ring.commit(extents(5), extents());
        ring.commit(extents(5), extents(5));
        assertThat(load(file).hot()).isEqualTo(extents(5));
    }

    /** Many laps around the ring, with a power loss at some write of the last life; several lives after one another. */
    @Test
    void nothingConfirmedHotIsEverForgotten() throws DiskException {
        for (long seed = 0; seed < 120; seed++) {
            Random random = new Random(seed);
            SimFile file = new SimFile(AREA_BYTES);
            BitSet confirmed = new BitSet();
            for (int life = 0; life < 4; life++) {
                ActivityRing ring = load(file);
                BitSet heat = new BitSet();
                BitSet cool = new BitSet();
                file.losePowerAtWrite(1 + random.nextInt(life == 0 ? 700 : 90), seed + life);
                try {
                    while (true) {
                        heat = some(random, EXTENTS);
                        cool = some(random, EXTENTS);
                        cool.andNot(heat);
                        ring.commit(heat, cool);
                        confirmed.andNot(cool);
                        confirmed.or(heat);
                    }
                } catch (SimFile.PowerLost expected) {
                    file = file.afterPowerLoss(seed * 31 + life);
                }
                ActivityRing recovered = load(file);
                BitSet must = (BitSet) confirmed.clone();
                must.andNot(cool);
                BitSet may = (BitSet) confirmed.clone();
                may.or(heat);
                BitSet hot = recovered.hot();
                assertThat(recovered.damaged())
                        .as("seed %d life %d", seed, life)
                        .isFalse();
                assertThat(isSubset(must, hot))
                        .as("forgot a hot extent, seed %d life %d", seed, life)
                        .isTrue();
                assertThat(isSubset(hot, may))
                        .as("made one up, seed %d life %d", seed, life)
                        .isTrue();
                confirmed = hot;
            }
        }
    }

    private static BitSet some(Random random, int extents) {
        BitSet set = new BitSet();
        for (int i = random.nextInt(20); i > 0; i--) {
            int first = random.nextInt(extents);
            set.set(first, Math.min(extents, first + 1 + random.nextInt(3)));
        }
        return set;
    }

    private static boolean isSubset(BitSet small, BitSet large) {
        BitSet rest = (BitSet) small.clone();
        rest.andNot(large);
        return rest.isEmpty();
    }

    /** A record in the middle that was durable once and is rotten now: everything counts as hot. */
    @Test
    void rottenRecordMakesEverythingHot() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        ActivityRing ring = load(file);
        for (int i = 0; i < 10; i++) {
            ring.commit(extents(i), extents());
        }
        // Records 1 to 10; number 5 is rotten.
        file.rot((int) MetadataArea.ACTIVITY + 5 * 4096 + 40);
        ActivityRing damaged = load(file);
        assertThat(damaged.damaged()).isTrue();
        assertThat(damaged.hot().cardinality()).isEqualTo(EXTENTS);
    }

    @Test
    void rottenOldRecordBeforeTheSnapshotDoesNotMatter() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        ActivityRing ring = load(file);
        ring.commit(extents(1), extents());
        ring.commit(extents(2), extents());
        ring.reset(extents(2));
        ring.commit(extents(3), extents());
        file.rot((int) MetadataArea.ACTIVITY + 2 * 4096 + 40);
        assertThat(load(file).hot()).isEqualTo(extents(2, 3));
    }

    @Test
    void garbageRingIsDamagedNotEmpty() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        byte[] garbage = new byte[256 * 4096];
        new Random(5).nextBytes(garbage);
        file.put((int) MetadataArea.ACTIVITY, garbage);
        ActivityRing ring = load(file);
        assertThat(ring.damaged()).isTrue();
        assertThat(ring.hot().cardinality()).isEqualTo(EXTENTS);
    }

    @Test
    void damagedRingCanBeUsedOn() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        byte[] garbage = new byte[256 * 4096];
        new Random(5).nextBytes(garbage);
        file.put((int) MetadataArea.ACTIVITY, garbage);
        ActivityRing ring = load(file);
        BitSet all = new BitSet();
        all.set(0, EXTENTS);
        all.clear(17);
        ring.commit(extents(17), all);
        ActivityRing again = load(file);
        assertThat(again.damaged()).isFalse();
        assertThat(again.hot()).isEqualTo(extents(17));
    }

    /** More scattered extents than a snapshot can name: neighbours are joined, none is lost. */
    @Test
    void overfullSnapshotCoarsens() throws DiskException {
        int many = 60_000;
        MetadataArea area = new MetadataArea(new SimFile(AREA_BYTES), 0, AREA_BYTES, true);
        ActivityRing ring = ActivityRing.load(area, many);
        BitSet everySecond = new BitSet();
        for (int i = 0; i < many; i += 2) {
            everySecond.set(i);
        }
        ring.commit(everySecond, new BitSet());
        ActivityRing again = ActivityRing.load(area, many);
        assertThat(again.damaged()).isFalse();
        assertThat(isSubset(everySecond, again.hot())).isTrue();
    }

    @Test
    void recordThatNamesWhatTheDiskHasNotIsDamage() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        ActivityRing.load(new MetadataArea(file, 0, AREA_BYTES, true), 6000).commit(extents(5999), extents());
        assertThat(load(file).damaged()).isTrue();
    }

    @Test
    void failedCommitChangesNothing() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        ActivityRing ring = load(file);
        ring.commit(extents(1), extents());
        file.failWrites(MetadataArea.ACTIVITY, MetadataArea.BITMAP, Errno.EIO);
        List<Errno> errors = new ArrayList<>();
        try {
            ring.commit(extents(2), extents(1));
        } catch (DiskException e) {
            errors.add(e.errno());
        }
        assertThat(errors).containsExactly(Errno.EIO);
        assertThat(ring.hot()).isEqualTo(extents(1));
    }
}

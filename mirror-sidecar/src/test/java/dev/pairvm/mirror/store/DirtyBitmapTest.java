package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.DirtyMask;
import dev.pairvm.mirror.core.Extent;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DirtyBitmapTest {
    private static final int EXTENTS = 1200;
    private static final long IMAGE_BYTES = (long) EXTENTS * Extent.BYTES - 512;
    private static final int AREA_BYTES = (int) MetadataArea.sizeFor(IMAGE_BYTES);

    private static DirtyBitmap load(SimFile file) throws DiskException {
        return DirtyBitmap.load(new MetadataArea(file, 0, AREA_BYTES, true), 2, IMAGE_BYTES);
    }

    @Test
    void blankIsClean() throws DiskException {
        assertThat(load(new SimFile(AREA_BYTES)).dirty()).isEmpty();
    }

    @Test
    void masksSurviveReopening() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        DirtyBitmap bitmap = load(file);
        bitmap.set(0, 1);
        bitmap.set(509, 2);
        bitmap.set(510, -1);
        bitmap.set(1199, Long.MIN_VALUE);
        bitmap.writeDurably();
        bitmap.set(510, 0);
        bitmap.writeDurably();
        bitmap.set(3, 8);
        assertThat(load(file).dirty())
                .containsExactly(
                        new DirtyMask(2, 0, 1), new DirtyMask(2, 509, 2), new DirtyMask(2, 1199, Long.MIN_VALUE));
    }

    @Test
    void rottenPageComesBackAllDirtyAndOthersStay() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        DirtyBitmap bitmap = load(file);
        bitmap.set(1, 1);
        bitmap.set(600, 4);
        bitmap.writeDurably();
        file.rot((int) MetadataArea.BITMAP + 30);
        var dirty = load(file).dirty();
        assertThat(dirty).hasSize(510 + 1).contains(new DirtyMask(2, 0, -1L), new DirtyMask(2, 600, 4));
    }

    /** Power loss during a write may make a page too dirty, never too clean. */
    @Test
    void powerLossNeverLosesAMark() throws DiskException {
        for (long seed = 0; seed < 200; seed++) {
            long failing = seed;
            Random random = new Random(seed);
            SimFile file = new SimFile(AREA_BYTES);
            DirtyBitmap bitmap = load(file);
            Map<Integer, Long> confirmed = new HashMap<>();
            file.losePowerAtWrite(1 + random.nextInt(6), seed);
            try {
                while (true) {
                    Map<Integer, Long> marked = new HashMap<>();
                    for (int i = 0; i < 5; i++) {
                        int extent = random.nextInt(EXTENTS);
                        long mask = confirmed.getOrDefault(extent, 0L) | 1L << random.nextInt(64);
                        bitmap.set(extent, mask);
                        marked.put(extent, mask);
                    }
                    bitmap.writeDurably();
                    confirmed.putAll(marked);
                }
            } catch (SimFile.PowerLost expected) {
                file = file.afterPowerLoss(seed);
            }
            Map<Integer, Long> found = new HashMap<>();
            load(file).dirty().forEach(mask -> found.put(mask.index(), mask.mask()));
            confirmed.forEach((extent, mask) -> assertThat(found.getOrDefault(extent, 0L) & mask)
                    .as("extent %d, seed %d", extent, failing)
                    .isEqualTo(mask));
        }
    }

    @Test
    void clearEmptiesTheDisk() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        DirtyBitmap bitmap = load(file);
        for (int extent = 0; extent < EXTENTS; extent++) {
            bitmap.set(extent, extent + 1L);
        }
        bitmap.writeDurably();
        bitmap.clear();
        bitmap.writeDurably();
        assertThat(load(file).dirty()).isEmpty();
    }
}

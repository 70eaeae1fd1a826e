package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.mirror.store.SuperblockRead.Blank;
import dev.pairvm.mirror.store.SuperblockRead.Damaged;
import dev.pairvm.mirror.store.SuperblockRead.Found;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SuperblockSlotsTest {
    private static final int AREA_BYTES = 2 << 20;
    private static final long IMAGE_BYTES = 64 << 20;

    private static SuperblockSlots slotsOn(SimFile file) {
        return new SuperblockSlots(new MetadataArea(file, 0, AREA_BYTES, true));
    }

    private static byte[] content(long sequence) {
        return ("content " + sequence).getBytes(StandardCharsets.UTF_8);
    }

    private static SuperblockSlots written(SimFile file, long upTo) throws DiskException {
        SuperblockSlots slots = slotsOn(file);
        slots.read();
        for (long sequence = 1; sequence <= upTo; sequence++) {
            slots.write(sequence, "root", IMAGE_BYTES, content(sequence));
        }
        return slots;
    }

    @Test
    void zerosAreBlank() throws DiskException {
        assertThat(slotsOn(new SimFile(AREA_BYTES)).read()).isInstanceOf(Blank.class);
    }

    @Test
    void newestIsRead() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        written(file, 5);
        assertThat(slotsOn(file).read()).isInstanceOfSatisfying(Found.class, found -> {
            assertThat(found.sequence()).isEqualTo(5);
            assertThat(found.disk()).isEqualTo("root");
            assertThat(found.imageBytes()).isEqualTo(IMAGE_BYTES);
            assertThat(found.content()).isEqualTo(content(5));
        });
    }

    /** Whatever moment the power goes at, and whatever sectors of the write survive: the last confirmed one or the one being written. */
    @Test
    void powerLossLeavesOldOrNew() throws DiskException {
        for (int writes = 2; writes < 8; writes++) {
            for (long seed = 0; seed < 64; seed++) {
                SimFile file = new SimFile(AREA_BYTES);
                file.losePowerAtWrite(writes, seed);
                int last = writes;
                assertThatThrownBy(() -> written(file, last)).isInstanceOf(SimFile.PowerLost.class);
                SuperblockRead read = slotsOn(file.afterPowerLoss(seed)).read();
                assertThat(read).as("write %d, seed %d", writes, seed).isInstanceOfSatisfying(Found.class, found -> {
                    assertThat(found.sequence()).isBetween((long) last - 1, (long) last);
                    assertThat(found.content()).isEqualTo(content(found.sequence()));
                });
            }
        }
    }

    @Test
    void tornVeryFirstWriteIsNeverTakenForSomethingWhole() throws DiskException {
        for (long seed = 0; seed < 64; seed++) {
            SimFile file = new SimFile(AREA_BYTES);
            file.losePowerAtWrite(1, seed);
            assertThatThrownBy(() -> written(file, 1)).isInstanceOf(SimFile.PowerLost.class);
            SuperblockRead read = slotsOn(file.afterPowerLoss(seed)).read();
            if (read instanceof Found found) {
                assertThat(found.content()).isEqualTo(content(1));
            }
        }
    }

    /** The slot that would be overwritten must be the older one even where only one slot can be read. */
    @Test
    void writingAfterRotSparesTheOnlyWholeSlot() throws DiskException {
        for (int rotten = 0; rotten < 2; rotten++) {
            for (long seed = 0; seed < 64; seed++) {
                SimFile file = new SimFile(AREA_BYTES);
                written(file, 2);
                file.rot(rotten * 4096 + 100);
                SuperblockSlots slots = slotsOn(file);
                long whole = ((Found) slots.read()).sequence();
                file.losePowerAtWrite(1, seed);
                assertThatThrownBy(() -> slots.write(3, "root", IMAGE_BYTES, content(3)))
                        .isInstanceOf(SimFile.PowerLost.class);
                assertThat(slotsOn(file.afterPowerLoss(seed)).read())
                        .as("slot %d rotten, seed %d", rotten, seed)
                        .isInstanceOfSatisfying(
                                Found.class,
                                found -> assertThat(found.sequence()).isIn(whole, 3L));
            }
        }
    }

    @Test
    void bothRottenIsDamagedNotBlank() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        written(file, 2);
        file.rot(50);
        file.rot(4096 + 50);
        assertThat(slotsOn(file).read()).isInstanceOfSatisfying(Damaged.class, damaged -> {
            assertThat(damaged.ours()).isTrue();
            assertThat(damaged.reason()).contains("sim.img", "checksum");
        });
    }

    @Test
    void oneRottenAndOneBlankIsDamaged() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        written(file, 1);
        file.rot(50);
        assertThat(slotsOn(file).read()).isInstanceOf(Damaged.class);
    }

    @Test
    void somebodyElsesDataAreDamagedButNotOurs() throws DiskException {
        SimFile file = new SimFile(AREA_BYTES);
        byte[] foreign = new byte[8192];
        new Random(3).nextBytes(foreign);
        file.put(0, foreign);
        assertThat(slotsOn(file).read())
                .isInstanceOfSatisfying(
                        Damaged.class, damaged -> assertThat(damaged.ours()).isFalse());
    }

    @Test
    void randomBytesNeverCrashTheReader() throws DiskException {
        Random random = new Random(11);
        for (int i = 0; i < 2000; i++) {
            SimFile file = new SimFile(AREA_BYTES);
            written(file, 2);
            for (int n = 0; n < 1 + random.nextInt(4); n++) {
                file.rot(random.nextInt(8192));
            }
            SuperblockRead read = slotsOn(file).read();
            if (read instanceof Found found) {
                assertThat(found.content()).isEqualTo(content(found.sequence()));
            }
        }
    }

    @Test
    void tooLongContentIsRefused() throws DiskException {
        SuperblockSlots slots = written(new SimFile(AREA_BYTES), 1);
        assertThatThrownBy(() -> slots.write(2, "root", IMAGE_BYTES, new byte[SuperblockSlots.MAX_CONTENT_BYTES + 1]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("does not fit");
    }
}

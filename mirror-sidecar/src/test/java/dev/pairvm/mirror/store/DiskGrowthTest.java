package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Superblock;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Room for a larger disk, and the power that goes while it is made. */
class DiskGrowthTest {
    private static final int MIB = 1 << 20;
    private static final long SMALL = 2L * MIB;
    private static final long LARGE = 5L * MIB;

    private static Superblock superblock() {
        return new Superblock(
                "m", "l", new CopyId("a"), CopyState.IN_SYNC, new Epoch(1), new Epoch(1), Lineage.BLANK, false);
    }

    private static byte[] littered(int bytes) {
        byte[] garbage = new byte[bytes];
        Arrays.fill(garbage, (byte) 0x5a);
        return garbage;
    }

    private static SimFile device(int bytes) {
        SimFile device = new SimFile(bytes);
        device.put(0, littered(bytes));
        return device;
    }

    private static void format(SimFile device, long deviceBytes, long imageBytes) throws DiskException {
        MetadataArea area = new MetadataArea(
                device, DeviceLayout.metadataOffset(deviceBytes), MetadataArea.sizeFor(deviceBytes), false);
        device.put((int) area.base(), new byte[(int) MetadataArea.sizeFor(deviceBytes)]);
        SuperblockSlots slots = new SuperblockSlots(area);
        slots.read();
        slots.write(1, "root", imageBytes, SuperblockCodec.encode(superblock()));
    }

    private static boolean zeros(SimFile file, long from, long to) {
        byte[] contents = file.contents();
        for (long at = from; at < to; at++) {
            if (contents[(int) at] != 0) {
                return false;
            }
        }
        return true;
    }

    @Test
    void aFileThatWasLargerOnceReadsAsZerosBeyondItsEnd() throws Exception {
        SimFile image = new SimFile((int) SMALL + 8192);
        image.put((int) SMALL, littered(8192));
        MetadataArea metadata = new MetadataArea(new SimFile(4 * MIB), 0, MetadataArea.sizeFor(SMALL), true);
        DiskStore store = new DiskStore("root", SMALL, image, metadata);
        store.makeRoom(SMALL, LARGE);
        store.makeRoom(SMALL, LARGE); // again, after a crash before the superblock
        assertThat(image.sizeBytes()).isEqualTo(LARGE);
        assertThat(zeros(image, SMALL, LARGE)).isTrue();
        assertThat(zeros(image.afterPowerLoss(3), SMALL, LARGE)).isTrue();
        ByteBuf end = Unpooled.directBuffer(512).writeZero(512);
        store.write(LARGE - 512, end);
    }

    @Test
    void aFileSystemThatCouldNeverHoldItIsRefused() {
        SimFile image = new SimFile((int) SMALL);
        image.holdAtMost(4L * MIB);
        MetadataArea metadata = new MetadataArea(new SimFile(4 * MIB), 0, MetadataArea.sizeFor(SMALL), true);
        DiskStore store = new DiskStore("root", SMALL, image, metadata);
        assertThatThrownBy(() -> store.makeRoom(SMALL, LARGE))
                .isInstanceOf(NoRoomException.class)
                .hasMessageContaining("expand its volume");
        assertThat(image.sizeBytes()).isEqualTo(SMALL);
        assertThat(store.sizeBytes()).isEqualTo(SMALL);
        assertThat(store.failure()).isEmpty();
    }

    @Test
    void aFailedFlushClosesTheStoreLikeAnyOther() {
        SimFile image = new SimFile((int) SMALL);
        MetadataArea metadata = new MetadataArea(new SimFile(4 * MIB), 0, MetadataArea.sizeFor(SMALL), true);
        DiskStore store = new DiskStore("root", SMALL, image, metadata);
        image.failNextFlush(Errno.EIO);
        assertThatThrownBy(() -> store.makeRoom(SMALL, LARGE)).isInstanceOf(DiskException.class);
        assertThat(store.failure()).isPresent();
        assertThat(store.sizeBytes()).isEqualTo(SMALL);
    }

    /** 8 MiB of device, its metadata in the last two; grown to 16 MiB. */
    private static SimFile grownDevice() throws DiskException {
        SimFile device = device(8 * MIB);
        format(device, 8 * MIB, SMALL);
        device.resize(16 * MIB);
        device.put(8 * MIB, littered(8 * MIB));
        return device;
    }

    @Test
    void metadataOfADeviceThatHasGrownAreFoundWhereItsEndWas() throws Exception {
        SimFile device = grownDevice();
        MetadataArea found = DeviceLayout.find(device, 16 * MIB, "root");
        assertThat(found.base()).isEqualTo(DeviceLayout.metadataOffset(8 * MIB));
        assertThat(DeviceLayout.find(device, 16 * MIB, "another").base())
                .as("of another disk")
                .isEqualTo(DeviceLayout.metadataOffset(16 * MIB));
    }

    @Test
    void aDiskThatOutgrowsTheOldEndMovesItsMetadataAndZeroesTheirPlace() throws Exception {
        SimFile device = grownDevice();
        MetadataArea metadata = DeviceLayout.find(device, 16 * MIB, "root");
        DiskStore store = new DiskStore("root", SMALL, device, metadata);
        long large = 12L * MIB;
        store.makeRoom(SMALL, large);
        assertThat(metadata.base()).isEqualTo(DeviceLayout.metadataOffset(16 * MIB));
        assertThat(zeros(device, SMALL, large)).isTrue();
        MetadataArea again = DeviceLayout.find(device.afterPowerLoss(1), 16 * MIB, "root");
        assertThat(new SuperblockSlots(again).read()).isInstanceOf(SuperblockRead.Found.class);
        assertThat(again.base()).isEqualTo(metadata.base());
        assertThatThrownBy(() -> store.makeRoom(large, 15L * MIB))
                .isInstanceOf(NoRoomException.class)
                .hasMessageContaining("expand its volume to at least");
    }

    @Test
    void thePowerMayGoAtEveryWriteOfTheMove() throws Exception {
        int losses = 0;
        for (int write = 1; write < 100; write++) {
            SimFile device = grownDevice();
            DiskStore store = new DiskStore("root", SMALL, device, DeviceLayout.find(device, 16 * MIB, "root"));
            device.losePowerAtWrite(write, write);
            boolean lost = false;
            try {
                store.makeRoom(SMALL, 12L * MIB);
            } catch (SimFile.PowerLost e) {
                lost = true;
                losses++;
            }
            SimFile found = device.afterPowerLoss(write);
            MetadataArea metadata = DeviceLayout.find(found, 16 * MIB, "root");
            assertThat(new SuperblockSlots(metadata).read())
                    .as("power lost at write " + write)
                    .isInstanceOfSatisfying(
                            SuperblockRead.Found.class,
                            whole -> assertThat(whole.imageBytes()).isEqualTo(SMALL));
            // The next life makes room all the same.
            new DiskStore("root", SMALL, found, metadata).makeRoom(SMALL, 12L * MIB);
            assertThat(zeros(found, SMALL, 12L * MIB)).isTrue();
            if (!lost) {
                break;
            }
        }
        assertThat(losses).isGreaterThan(2);
    }
}

package dev.pairvm.mirror.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.api.mirror.MirrorConfig.Disk.Kind;
import dev.pairvm.mirror.store.DeviceLayout;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskImportTest {
    private static final int DISK_BYTES = 1 << 20;

    @TempDir
    Path dir;

    private static byte[] image(int length) {
        byte[] bytes = new byte[length];
        new Random(7).nextBytes(bytes);
        Arrays.fill(bytes, 70_000, Math.min(length, 300_000), (byte) 0);
        return bytes;
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    @Test
    void aCheckedImageBecomesTheDiskFilledUpToItsSize() throws Exception {
        byte[] image = image(400_000);
        DiskImport disk = new DiskImport(Kind.FILE, dir, DISK_BYTES);

        DiskImport.Outcome outcome = disk.run(new ByteArrayInputStream(image), Optional.of(sha256(image)), bytes -> {});

        assertThat(outcome).isEqualTo(DiskImport.Outcome.IMPORTED);
        byte[] laid = Files.readAllBytes(dir.resolve("disk.img"));
        assertThat(laid).isEqualTo(Arrays.copyOf(image, DISK_BYTES));
    }

    @Test
    void aSecondImportLeavesTheDiskAlone() throws Exception {
        DiskImport disk = new DiskImport(Kind.FILE, dir, DISK_BYTES);
        byte[] image = image(400_000);
        disk.run(new ByteArrayInputStream(image), Optional.empty(), bytes -> {});

        DiskImport.Outcome again = disk.run(new ByteArrayInputStream(new byte[10]), Optional.empty(), bytes -> {});

        assertThat(again).isEqualTo(DiskImport.Outcome.ALREADY_THERE);
        assertThat(Files.readAllBytes(dir.resolve("disk.img"))).startsWith(Arrays.copyOf(image, 1000));
    }

    @Test
    void aWrongChecksumLeavesNoContent() throws Exception {
        DiskImport disk = new DiskImport(Kind.FILE, dir, DISK_BYTES);

        assertThatThrownBy(() ->
                        disk.run(new ByteArrayInputStream(image(400_000)), Optional.of("0".repeat(64)), bytes -> {}))
                .isInstanceOf(DiskImport.ImportException.class)
                .hasMessageContaining("checksum mismatch");
        assertThat(disk.hasContent()).isFalse();
    }

    @Test
    void anImageLargerThanTheDiskIsRefused() throws Exception {
        DiskImport disk = new DiskImport(Kind.FILE, dir, 100_000);

        assertThatThrownBy(() -> disk.run(new ByteArrayInputStream(image(400_000)), Optional.empty(), bytes -> {}))
                .hasMessageContaining("larger than the disk of 100000 bytes");
        assertThat(disk.hasContent()).isFalse();
    }

    @Test
    void aBrokenOffImportOntoADeviceShowsNoBootSectorAndBeginsAgain() throws Exception {
        Path device = Files.write(dir.resolve("device"), new byte[DISK_BYTES]);
        DiskImport disk = new DiskImport(Kind.BLOCK, device, DISK_BYTES);
        byte[] image = image(400_000);
        InputStream torn = new InputStream() {
            private int at;

            @Override
            public int read() throws IOException {
                if (at == 200_000) {
                    throw new IOException("connection reset");
                }
                return image[at++] & 0xff;
            }
        };

        assertThatThrownBy(() -> disk.run(torn, Optional.empty(), bytes -> {})).hasMessage("connection reset");
        assertThat(disk.hasContent()).isFalse();
        disk.run(new ByteArrayInputStream(image), Optional.of(sha256(image)), bytes -> {});
        assertThat(Files.readAllBytes(device)).isEqualTo(Arrays.copyOf(image, DISK_BYTES));
    }

    @Test
    void aDeviceWhoseGuestWipedItsBootSectorIsNotBlank() throws Exception {
        byte[] bytes = new byte[8 << 20];
        Path device = Files.write(dir.resolve("device"), bytes);
        bytes[(int) DeviceLayout.metadataOffset(bytes.length)] = 1;
        Files.write(device, bytes);

        DiskImport disk = new DiskImport(Kind.BLOCK, device, DISK_BYTES);

        assertThat(disk.hasContent()).isTrue();
    }
}

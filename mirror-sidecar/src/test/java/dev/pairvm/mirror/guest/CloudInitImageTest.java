package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cidata volume, read back by its structure. */
class CloudInitImageTest {
    @TempDir
    Path directory;

    private Path source() throws Exception {
        return Files.createDirectories(directory.resolve("cloudinit"));
    }

    private byte[] image() throws Exception {
        Path image = directory.resolve("cidata.iso");
        assertThat(CloudInitImage.write(source(), image)).isTrue();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(image)))
                .isEqualTo("rw-------");
        return Files.readAllBytes(image);
    }

    /** Follows root directory and record, as a file system driver does. */
    private static String content(byte[] image, int descriptor, byte[] name) {
        ByteBuffer in = ByteBuffer.wrap(image);
        int at = in.getInt(descriptor * 2048 + 156 + 6) * 2048;
        while (image[at] != 0) {
            int length = image[at] & 0xff;
            byte[] found = new byte[image[at + 32]];
            in.get(at + 33, found);
            if (Arrays.equals(found, name)) {
                byte[] content = new byte[in.getInt(at + 14)];
                in.get(in.getInt(at + 6) * 2048, content);
                return new String(content, StandardCharsets.UTF_8);
            }
            at += length;
        }
        return "absent";
    }

    @Test
    void holdsTheFilesUnderNoCloudsNames() throws Exception {
        Files.writeString(source().resolve("user-data"), "#cloud-config\n" + "x".repeat(5000));
        Files.writeString(source().resolve("network-data"), "version: 2\n");
        byte[] image = image();
        assertThat(CloudInitImage.label(image)).isEqualTo("cidata");
        assertThat(content(image, 16, "USER-DATA.;1".getBytes(StandardCharsets.US_ASCII)))
                .startsWith("#cloud-config")
                .hasSize(5014);
        assertThat(content(image, 17, "network-config".getBytes(StandardCharsets.UTF_16BE)))
                .isEqualTo("version: 2\n");
        assertThat(content(image, 16, "META-DATA.;1".getBytes(StandardCharsets.US_ASCII)))
                .isEmpty();
        assertThat(image()).as("the same on the other host").isEqualTo(image);
    }

    @Test
    void isNotMadeWithoutASource() throws Exception {
        assertThat(CloudInitImage.write(directory.resolve("absent"), directory.resolve("cidata.iso")))
                .isFalse();
        assertThat(directory.resolve("cidata.iso")).doesNotExist();
    }

    @Test
    void refusesWhatIsTooLong() throws Exception {
        Files.write(source().resolve("user-data"), new byte[(1 << 20) + 1]);
        assertThatThrownBy(() -> CloudInitImage.write(source(), directory.resolve("cidata.iso")))
                .hasMessageContaining("user-data has 1048577 bytes");
        assertThat(directory.resolve("cidata.iso")).doesNotExist();
    }
}

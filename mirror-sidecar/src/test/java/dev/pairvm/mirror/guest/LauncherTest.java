package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The files between mirror and launcher, and processes that are not QEMU. */
class LauncherTest {
    @TempDir
    Path directory;

    private Launcher launcher;

    @BeforeEach
    void aLauncher() {
        launcher = new Launcher(directory);
    }

    @Test
    void runNumbersRiseOverAnythingSeen() throws Exception {
        assertThat(launcher.request(List.of("-S"))).isEqualTo(1);
        assertThat(Files.readAllLines(directory.resolve("request"))).containsExactly("1", "-S");
        Files.writeString(directory.resolve("exit"), "41 0\n");
        assertThat(launcher.request(List.of("-S"))).isEqualTo(42);
        assertThat(launcher.exit(41)).contains(0);
        assertThat(launcher.exit(42)).as("another run's").isEmpty();
    }

    @Test
    void anArgumentWithALineBreakIsNotWritten() {
        assertThatThrownBy(() -> launcher.request(List.of("-name", "x\n-S"))).hasMessageContaining("line break");
        assertThat(directory.resolve("request")).doesNotExist();
    }

    @Test
    void nonsenseInItsFilesIsNoAnswer() throws Exception {
        for (String nonsense : List.of("", "\n", "x y", "x".repeat(1000), "99999999999999999999 1", "3 pid")) {
            Files.writeString(directory.resolve("pid"), nonsense);
            assertThat(launcher.process()).as("\"%s\"", nonsense).isEmpty();
        }
        Files.delete(directory.resolve("pid"));
        Files.createDirectory(directory.resolve("pid"));
        assertThat(launcher.process()).isEmpty();
    }

    @Test
    void onlyAWaitingRequestCanBeTakenBack() throws Exception {
        assertThat(launcher.withdraw()).isFalse();
        launcher.request(List.of("-S"));
        assertThat(launcher.isIdle()).isFalse();
        assertThat(launcher.withdraw()).isTrue();
        assertThat(launcher.isIdle()).isTrue();
    }

    @Test
    void aProcessThatIsNotThisMachinesQemuIsNeverTaken() throws Exception {
        String uuid = UUID.randomUUID().toString();
        // "read" is the shell's own: a child between fork and exec would show the same command line
        Process other = new ProcessBuilder("sh", "-c", "read x", "-uuid", "another").start();
        Process same = new ProcessBuilder("sh", "-c", "read x", "-uuid", uuid).start();
        try {
            assertThat(QemuProcess.find((int) other.pid(), uuid)).isEmpty();
            QemuProcess found = QemuProcess.find((int) same.pid(), uuid).orElseThrow();
            assertThat(QemuProcess.findAll(uuid)).hasSize(1);
            found.stop();
            assertThat(found.isAlive()).isTrue();
            found.kill();
            assertThat(same.waitFor(10, TimeUnit.SECONDS)).isTrue();
            assertThat(found.isAlive()).isFalse();
            found.kill();
            found.close();
            found.kill();
            assertThat(QemuProcess.find((int) same.pid(), uuid)).isEmpty();
            assertThat(other.isAlive()).isTrue();
        } finally {
            other.destroyForcibly();
            same.destroyForcibly();
        }
    }
}

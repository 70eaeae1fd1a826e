package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.mirror.store.WriteLog;
import dev.pairvm.mirror.store.WriteLog.Kind;
import dev.pairvm.mirror.store.WriteLog.Op;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The judge of {@link CrashImageTest} is judged: disks that lose, forget, turn back and invent are each refused. */
class PromisesTest {
    private static final int SIZE = 64 << 10;

    @TempDir
    Path dir;

    private @SuppressWarnings("NullAway.Init") WriteLog client;
    private @SuppressWarnings("NullAway.Init") WriteLog disk;

    @BeforeEach
    void logs() throws Exception {
        AtomicLong clock = new AtomicLong();
        client = new WriteLog(clock, dir.resolve("client"));
        disk = new WriteLog(clock, dir.resolve("disk"));
    }

    @AfterEach
    void close() throws Exception {
        client.close();
        disk.close();
    }

    private static Op write(WriteLog log, int sector, int fill) {
        byte[] bytes = new byte[Promises.SECTOR];
        Arrays.fill(bytes, (byte) fill);
        return log.begin(Kind.WRITE, (long) sector * Promises.SECTOR, bytes.length, ByteBuffer.wrap(bytes));
    }

    private static Op flush(WriteLog log) {
        return log.begin(Kind.FLUSH, 0, 0, ByteBuffer.allocate(0));
    }

    private void mirrored(int sector, int fill) {
        Op asked = write(client, sector, fill);
        disk.end(write(disk, sector, fill), true);
        client.end(asked, true);
    }

    private void flushed(boolean really) {
        Op asked = flush(client);
        if (really) {
            disk.end(flush(disk), true);
        }
        client.end(asked, true);
    }

    private long check() {
        return new Promises(client, SIZE).check("a", disk, 0, WriteLog.NEVER);
    }

    @Test
    void aDiskThatKeepsEverythingIsBelieved() {
        mirrored(1, 1);
        flushed(true);
        mirrored(1, 2);
        mirrored(2, 3);
        flushed(true);
        assertThat(check()).isPositive();
    }

    @Test
    void aWriteThatIsMissingIsSeen() {
        client.end(write(client, 1, 1), true);
        assertThatThrownBy(this::check).isInstanceOf(AssertionError.class).hasMessageContaining("cache");
    }

    @Test
    void aFlushThatDidNotReachTheDiskIsSeen() {
        mirrored(1, 1);
        flushed(false);
        assertThatThrownBy(this::check).isInstanceOf(AssertionError.class).hasMessageContaining("durable");
    }

    @Test
    void aFlushThatBeganBeforeTheWriteLandedDoesNotCount() {
        Op asked = write(client, 1, 1);
        Op landing = write(disk, 1, 1);
        Op early = flush(disk);
        disk.end(landing, true);
        client.end(asked, true);
        Op wanted = flush(client);
        disk.end(early, true);
        client.end(wanted, true);
        assertThatThrownBy(this::check).isInstanceOf(AssertionError.class).hasMessageContaining("durable");
    }

    @Test
    void anOlderContentThatComesBackIsSeen() {
        mirrored(1, 1);
        mirrored(1, 2);
        disk.end(write(disk, 1, 1), true);
        assertThatThrownBy(this::check).isInstanceOf(AssertionError.class);
    }

    @Test
    void aContentThatNobodyWroteIsSeen() {
        disk.end(write(disk, 5, 9), true);
        assertThatThrownBy(this::check).isInstanceOf(AssertionError.class).hasMessageContaining("nothing");
    }

    @Test
    void whatWasNeverAnsweredMayBeThereOrNotUntilANewerOneIs() {
        mirrored(1, 1);
        Op open = write(client, 1, 2);
        disk.end(write(disk, 1, 2), true);
        client.giveUp();
        assertThat(check()).isPositive();
        assertThat(open.answered()).isFalse();
        mirrored(1, 3);
        assertThat(check()).isPositive();
        disk.end(write(disk, 1, 2), true);
        assertThatThrownBy(this::check).isInstanceOf(AssertionError.class);
    }
}

package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server as a process of its own that is killed with SIGKILL: what was answered is there in its next life. */
@Timeout(240)
class KilledServerTest {
    private static final long SIZE = 48 << 20;

    @TempDir
    Path directory;

    private StockTools tools;
    private Process server;

    @BeforeEach
    void begin() throws Exception {
        tools = new StockTools(directory);
        Files.createDirectory(directory.resolve("disk"));
        start();
    }

    private void start() throws IOException {
        Path log = Files.createTempFile(directory, "server", ".log");
        server = tools.start(
                log,
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                StandaloneNbd.class.getName(),
                directory.resolve("disk").toString(),
                Long.toString(SIZE),
                directory.resolve("s").toString());
        await().atMost(Duration.ofSeconds(60)).until(() -> {
            assertThat(server.isAlive()).as(Files.readString(log)).isTrue();
            return Files.readString(log).contains("ready");
        });
    }

    private void kill() throws InterruptedException {
        server.destroyForcibly();
        server.waitFor(20, TimeUnit.SECONDS);
    }

    @AfterEach
    void end() throws InterruptedException {
        kill();
    }

    private String uri() {
        return "nbd+unix:///root?socket=" + directory.resolve("s");
    }

    private String fio(String... more) throws Exception {
        String[] common = {
            "fio",
            "--name=kill",
            "--ioengine=nbd",
            "--uri=" + uri(),
            "--rw=randwrite",
            "--bsrange=512-128k",
            "--ba=512",
            "--size=" + SIZE,
            "--io_size=" + SIZE,
            "--iodepth=16",
            "--fsync=64",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--randseed=4711"
        };
        String[] command = java.util.Arrays.copyOf(common, common.length + more.length);
        System.arraycopy(more, 0, command, common.length, more.length);
        return tools.run(command);
    }

    @Test
    void fioFindsAfterTheKillWhatItWroteBefore() throws Exception {
        StockTools.needs("fio");
        fio("--do_verify=0");
        kill();
        start();
        assertThat(fio("--verify_only")).contains("err= 0");
    }

    /** Each block carries a rising number; after the kill it carries the last that was answered, or one sent after that. */
    @Test
    void everyAnsweredWriteSurvivesAKillInTheMiddle() throws Exception {
        StockTools.needs("nbdsh");
        for (int round = 1; round <= 3; round++) {
            Path journal = directory.resolve("journal" + round);
            Process writer = tools.start(
                    directory.resolve("writer" + round), "nbdsh", "-c", WRITER.formatted(uri(), round, journal));
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> Files.exists(journal) && Files.size(journal) > 400_000 || !writer.isAlive());
            kill();
            assertThat(writer.waitFor(30, TimeUnit.SECONDS)).isTrue();
            start();
            assertThat(tools.run("nbdsh", "-c", VERIFIER.formatted(uri(), journal)))
                    .contains("nothing lost");
        }
    }

    private static final String WRITER = """
            import nbd, random, struct
            h = nbd.NBD(); h.connect_uri("%s")
            r = random.Random(%d)
            journal = open("%s", "w")
            busy = set()
            def answered(block, number):
                def callback(error):
                    busy.discard(block)
                    if error.value == 0: journal.write("A %%d %%d\\n" %% (block, number))
                    return 1
                return callback
            try:
                for number in range(1, 1000000):
                    while h.aio_in_flight() >= 32: h.poll(-1)
                    block = r.randrange(2000)
                    if block in busy: continue
                    busy.add(block)
                    journal.write("S %%d %%d\\n" %% (block, number))
                    data = nbd.Buffer.from_bytearray(bytearray(struct.pack(">Q", number) * 512))
                    h.aio_pwrite(data, block * 4096, completion=answered(block, number),
                                 flags=nbd.CMD_FLAG_FUA if number %% 100 == 0 else 0)
            except nbd.Error:
                pass
            journal.close()
            """;

    private static final String VERIFIER = """
            import nbd, struct
            h = nbd.NBD(); h.connect_uri("%s")
            answered, sent = {}, {}
            for line in open("%s"):
                kind, block, number = line.split()
                if kind == "A": answered[int(block)] = int(number)
                else: sent.setdefault(int(block), []).append(int(number))
            assert len(answered) > 500, len(answered)
            for block, number in answered.items():
                data = h.pread(4096, block * 4096)
                for cell in range(8):
                    numbers = set(struct.unpack(">64Q", data[cell * 512:(cell + 1) * 512]))
                    later = [n for n in sent[block] if n > number]
                    assert len(numbers) == 1 and numbers <= {number, *later}, (block, cell, number, later, numbers)
            print("nothing lost of", len(answered))
            """;
}

package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The server and the store as other people's clients see them: libnbd, QEMU and fio, over a unix socket.
 */
@Timeout(180)
class ConformanceTest {
    private static final long SIZE = 96 << 20;

    @TempDir
    Path directory;

    private StandaloneNbd standalone;

    @BeforeEach
    void serve() throws Exception {
        standalone = new StandaloneNbd(Files.createDirectory(directory.resolve("disk")), SIZE, directory.resolve("s"));
    }

    @AfterEach
    void stop() {
        standalone.close();
    }

    private String uri() {
        return "nbd+unix:///root?socket=" + directory.resolve("s");
    }

    private String readOnlyUri() {
        return "nbd+unix:///root-readonly?socket=" + directory.resolve("s");
    }

    private static void needs(String tool) {
        StockTools.needs(tool);
    }

    private String run(String... command) throws IOException, InterruptedException {
        return new StockTools(directory).run(command);
    }

    /** A sparse file of the disk's size with data here and there. */
    private Path sample(long seed) throws IOException {
        Path sample = directory.resolve("sample" + seed);
        Random random = new Random(seed);
        try (RandomAccessFile file = new RandomAccessFile(sample.toFile(), "rw")) {
            file.setLength(SIZE);
            for (int i = 0; i < 12; i++) {
                byte[] bytes = new byte[1 + random.nextInt(2 << 20)];
                random.nextBytes(bytes);
                file.seek(random.nextLong(SIZE - bytes.length));
                file.write(bytes);
            }
        }
        return sample;
    }

    @Test
    void nbdinfoSeesWhatIsOffered() throws Exception {
        needs("nbdinfo");
        String info = run("nbdinfo", "--list", uri());
        assertThat(info)
                .contains("newstyle-fixed without TLS, using structured packets")
                .contains("export=\"root\"", "export=\"root-readonly\"")
                .contains("base:allocation", "can_multi_conn: true", "can_fua: true", "can_fast_zero: true")
                .contains("block_size_maximum: 33554432");
        assertThat(run("nbdinfo", "--map", uri())).contains("0").contains("hole,zero");
    }

    @Test
    void nbdcopyBothWaysOverSeveralConnections() throws Exception {
        needs("nbdcopy");
        Path sample = sample(1);
        run("nbdcopy", "--connections=4", "--requests=16", "--flush", sample.toString(), uri());
        Path back = directory.resolve("back");
        run("nbdcopy", "--connections=4", uri(), back.toString());
        assertThat(Files.mismatch(sample, back)).isEqualTo(-1);
        assertThat(Files.mismatch(sample, directory.resolve("disk/disk.img")))
                .as("the image is plain raw")
                .isEqualTo(-1);
        Path synchronousBack = directory.resolve("back2");
        run("nbdcopy", "--synchronous", "--no-extents", readOnlyUri(), synchronousBack.toString());
        assertThat(Files.mismatch(sample, synchronousBack)).isEqualTo(-1);
    }

    @Test
    void qemuImgConvertsComparesAndMaps() throws Exception {
        needs("qemu-img");
        Path sample = sample(2);
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", "-W", "-m", "8", sample.toString(), uri());
        assertThat(run("qemu-img", "compare", "-f", "raw", "-F", "raw", sample.toString(), readOnlyUri()))
                .contains("Images are identical");
        String map = run("qemu-img", "map", "-f", "raw", "--output=json", uri());
        assertThat(map).contains("\"data\": true").contains("\"zero\": true");
    }

    @Test
    void qemuIoWritesPatternsZeroesAndDiscards() throws Exception {
        needs("qemu-io");
        String said = run(
                "qemu-io",
                "-f",
                "raw",
                "-d",
                "unmap",
                "-c",
                "write -P 0x5a 1M 3M",
                "-c",
                "write -f -P 0xa5 512 1536",
                "-c",
                "writev -P 0x77 8M 4k 8k 12k",
                "-c",
                "write -z 2M 64k",
                "-c",
                "write -z -u 2560k 128k",
                "-c",
                "discard 3M 512k",
                "-c",
                "flush",
                "-c",
                "read -P 0xa5 512 1536",
                "-c",
                "read -P 0x5a 1M 1M",
                "-c",
                "read -P 0 2M 64k",
                "-c",
                "read -P 0 2560k 128k",
                "-c",
                "read -P 0 3M 512k",
                "-c",
                "read -P 0x77 8M 24k",
                "-c",
                "aio_write -P 0x33 16M 4M",
                "-c",
                "aio_flush",
                "-c",
                "read -P 0x33 16M 4M",
                uri());
        assertThat(said).doesNotContain("failed").doesNotContain("error");
    }

    /** What {@code nbdinfo --map} says of every byte: data, or a hole that reads as zeros. */
    @Test
    void allocationIsThatOfTheSparseFile() throws Exception {
        needs("nbdinfo");
        needs("qemu-io");
        long step = 1 << 20;
        boolean[] data = new boolean[(int) (SIZE / step)];
        Random random = new Random(11);
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "raw", "-d", "unmap"));
        for (int i = 0; i < 60; i++) {
            int at = random.nextInt(data.length);
            boolean punches = i > 40;
            command.addAll(List.of("-c", (punches ? "discard " : "write -P 7 ") + at * step + " " + step));
            data[at] = !punches;
        }
        command.add(uri());
        run(command.toArray(String[]::new));
        boolean[] said = new boolean[data.length];
        long end = 0;
        for (String line : run("nbdinfo", "--map", uri()).lines().toList()) {
            String[] field = line.strip().split("\\s+");
            long from = Long.parseLong(field[0]);
            long length = Long.parseLong(field[1]);
            assertThat(from).as("no gap, no overlap").isEqualTo(end);
            assertThat(field[2]).isIn("0", "3");
            end = from + length;
            for (long at = from; at < end; at++) {
                if (at % step == 0) {
                    said[(int) (at / step)] = field[2].equals("0");
                    at += step - 1;
                }
            }
            assertThat(from % step).as("extents are those that were written").isZero();
        }
        assertThat(end).isEqualTo(SIZE);
        assertThat(said).isEqualTo(data);
    }

    /** A daemon of QEMU's is our client and serves on to a client of QEMU's: two implementations must agree on every byte. */
    @Test
    void qemuStorageDaemonServesOurDiskOn() throws Exception {
        needs("qemu-storage-daemon");
        needs("qemu-io");
        needs("qemu-img");
        Path socket = directory.resolve("q");
        StockTools tools = new StockTools(directory);
        Process daemon = tools.start(
                directory.resolve("qsd.log"),
                "qemu-storage-daemon",
                "--blockdev",
                "driver=nbd,node-name=d,server.type=unix,server.path=" + directory.resolve("s") + ",export=root",
                "--nbd-server",
                "addr.type=unix,addr.path=" + socket,
                "--export",
                "type=nbd,id=e,node-name=d,name=again,writable=on");
        try {
            org.awaitility.Awaitility.await().until(() -> Files.exists(socket));
            String again = "nbd+unix:///again?socket=" + socket;
            byte[] expected = new byte[(int) SIZE];
            Random random = new Random(5);
            for (int round = 0; round < 4; round++) {
                List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "raw", "-d", "unmap"));
                for (int i = 0; i < 60; i++) {
                    int length = 512 * (1 + random.nextInt(400));
                    int at = 512 * random.nextInt((expected.length - length) / 512);
                    int kind = random.nextInt(8);
                    int pattern = kind < 2 ? 0 : 1 + random.nextInt(255);
                    Arrays.fill(expected, at, at + length, (byte) pattern);
                    command.add("-c");
                    command.add(
                            switch (kind) {
                                case 0 -> "write -z " + at + " " + length;
                                case 1 -> "write -z -u " + at + " " + length;
                                case 2 -> "write -f -P " + pattern + " " + at + " " + length;
                                default -> "aio_write -P " + pattern + " " + at + " " + length;
                            });
                    if (kind > 2) {
                        command.addAll(List.of("-c", "aio_flush")); // the next one may overlap it
                    }
                    command.addAll(List.of("-c", "read -P " + pattern + " " + at + " " + length));
                }
                command.add(again);
                assertThat(run(command.toArray(String[]::new)))
                        .doesNotContain("failed")
                        .doesNotContain("error");
            }
            Path image = directory.resolve("expected");
            Files.write(image, expected);
            assertThat(run("qemu-img", "compare", "-f", "raw", "-F", "raw", image.toString(), again))
                    .contains("Images are identical");
            assertThat(run("qemu-img", "compare", "-f", "raw", "-F", "raw", image.toString(), readOnlyUri()))
                    .contains("Images are identical");
        } finally {
            daemon.destroy();
            daemon.waitFor(20, TimeUnit.SECONDS);
        }
        assertThat(Files.mismatch(directory.resolve("expected"), directory.resolve("disk/disk.img")))
                .isEqualTo(-1);
    }

    @Test
    void fioVerifiesWhatItWrote() throws Exception {
        needs("fio");
        assertThat(run("fio", "--enghelp")).as("fio without its nbd engine").contains("nbd");
        String said = run(
                "fio",
                "--name=verify",
                "--ioengine=nbd",
                "--uri=" + uri(),
                "--rw=randwrite",
                "--bsrange=512-256k",
                "--ba=512",
                "--size=" + SIZE,
                "--io_size=" + SIZE,
                "--iodepth=16",
                "--fsync=50",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--randrepeat=1");
        assertThat(said).contains("err= 0");
    }

    /** libnbd with its own checks switched off sends what no honest client would. */
    @Test
    void nbdshHostileRequests() throws Exception {
        needs("nbdsh");
        assertThat(run("nbdsh", "-c", HOSTILE.formatted(uri(), readOnlyUri())))
                .contains("all hostile requests answered");
    }

    private static final String HOSTILE = """
            import nbd, errno
            uri, ro = "%s", "%s"

            def connect(u):
                h = nbd.NBD()
                h.add_meta_context("base:allocation")
                h.connect_uri(u)
                h.set_strict_mode(0)
                return h

            def refused(what, f, *allowed):
                try:
                    f()
                except nbd.Error as e:
                    assert e.errno in allowed, (what, e.errno, str(e))
                else:
                    raise AssertionError("not refused: " + what)

            h = connect(uri)
            size = h.get_size()
            inval, nospc, perm = "EINVAL", "ENOSPC", "EPERM"
            refused("read beyond the end", lambda: h.pread(512, size), inval)
            refused("read over the end", lambda: h.pread(1024, size - 512), inval)
            refused("read at 2^63", lambda: h.pread(512, 2**63), inval)
            refused("write beyond the end", lambda: h.pwrite(bytes(512), size), nospc)
            refused("zero beyond the end", lambda: h.zero(512, size), nospc)
            refused("trim beyond the end", lambda: h.trim(512, size), inval, nospc)
            refused("cache beyond the end", lambda: h.cache(512, size), inval)
            refused("read with an unknown flag", lambda: h.pread(512, 0, flags=0x4000), inval)
            refused("write with DF", lambda: h.pwrite(bytes(512), 0, flags=nbd.CMD_FLAG_DF), inval)
            refused("status of nothing", lambda: h.block_status(0, 0, lambda *a: 0), inval)
            h.flush(flags=nbd.CMD_FLAG_FUA)
            h.pwrite(b"x" * 512, 0, flags=nbd.CMD_FLAG_FUA)
            h.zero(512, 4096, flags=nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FAST_ZERO)
            h.trim(512, 8192, flags=nbd.CMD_FLAG_FUA)
            assert h.pread(512, 0, flags=nbd.CMD_FLAG_DF) == b"x" * 512
            assert len(h.pread(32 * 1024 * 1024, 0)) == 32 * 1024 * 1024
            seen = []
            h.block_status(size, 0, lambda ctx, off, e, err: seen.extend(e))
            assert sum(seen[0::2]) == size, seen
            h.shutdown()

            r = connect(ro)
            assert r.is_read_only()
            refused("write to a read-only export", lambda: r.pwrite(bytes(512), 0), perm)
            refused("trim of a read-only export", lambda: r.trim(512, 0), perm)
            refused("zero of a read-only export", lambda: r.zero(512, 0), perm)
            assert r.pread(512, 0) == b"x" * 512
            r.shutdown()

            plain = nbd.NBD()
            plain.set_request_structured_replies(False)
            plain.connect_uri(uri)
            plain.set_strict_mode(0)
            refused("status without contexts", lambda: plain.block_status(512, 0, lambda *a: 0), inval, "ENOTSUP")
            refused("simple read over the end", lambda: plain.pread(1024, size - 512), inval)
            assert plain.pread(512, 0) == b"x" * 512
            plain.shutdown()

            # A flush on one connection covers what was written on another (multi-conn).
            a, b = connect(uri), connect(uri)
            assert a.can_multi_conn()
            a.pwrite(b"y" * 4096, 65536)
            b.flush()
            assert b.pread(4096, 65536) == b"y" * 4096
            a.shutdown(); b.shutdown()
            print("all hostile requests answered")
            """;
}

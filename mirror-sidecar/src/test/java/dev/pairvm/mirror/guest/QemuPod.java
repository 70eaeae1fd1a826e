package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.nbd.NbdExport;
import dev.pairvm.mirror.nbd.NbdExports;
import dev.pairvm.mirror.nbd.NbdLimits;
import dev.pairvm.mirror.nbd.NbdServer;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A machine's pod on this host: the launcher with real QEMU, an NBD server with a disk in memory, and a guest control. The guest
 * is a boot sector that says {@code B} at its start and then a dot now and again, and does as it is told over its serial line:
 * {@code r} reboots, {@code p} powers off, {@code c} panics.
 */
final class QemuPod implements AutoCloseable {
    private static final String BOOT_SECTOR = "fab042baf803ee6631c9bafd03eca8017410baf803ec3c72741b3c70741c"
            + "3c637420664166f7c1ffff000075ddb02ebaf803eeebd5b0fee664f4ba04"
            + "06b80020eff4ba0505b001eeebc0";

    /** What the guest finds. The disk's bytes are copied. */
    record Hardware(int processors, int memoryMib, byte[] disk) {
        /** One processor, 64 MiB, a disk of 1 MiB with the usual guest. */
        static Hardware usual() {
            byte[] disk = new byte[1 << 20];
            boot(disk, BOOT_SECTOR);
            return new Hardware(1, 64, disk);
        }

        static void boot(byte[] disk, String hex) {
            byte[] code = HexFormat.of().parseHex(hex);
            System.arraycopy(code, 0, disk, 0, code.length);
            disk[510] = 0x55;
            disk[511] = (byte) 0xaa;
        }
    }

    final String uuid;
    final GuestFiles files;
    final MemoryDisk disk = new MemoryDisk();
    final BlockingQueue<GuestEvent> events = new LinkedBlockingQueue<>();
    final QemuCommandLine command;
    GuestControl guest;
    private final EventLoop loop;
    private final NbdServer nbd;
    private final Process launcher;

    QemuPod(
            Path directory,
            EventLoop loop,
            String uuid,
            MirrorConfig.Firmware firmware,
            List<MirrorConfig.Interface> cards,
            List<String> taps,
            Hardware hardware)
            throws Exception {
        this.loop = loop;
        this.uuid = uuid;
        files = new GuestFiles(directory);
        disk.bytes = hardware.disk().clone();
        nbd = NbdServer.onUnixSocket(
                files.nbdSocket(),
                loop,
                new NbdExports(List.of(NbdExport.writable("root", disk.bytes.length, disk))),
                NbdLimits.DEFAULT);
        boolean cloudInit = CloudInitImage.write(directory.resolve("cloudinit"), files.cloudInitImage());
        command = new QemuCommandLine(config(uuid, firmware, cards, hardware), files, Accelerator.TCG, taps, cloudInit);
        Path log = directory.resolve("launcher.log");
        ProcessBuilder start = new ProcessBuilder(
                        "busybox",
                        "sh",
                        Path.of("../e2e/images/qemu/pairvm-launch").toString())
                .redirectOutput(log.toFile())
                .redirectErrorStream(true);
        start.environment().put("PAIRVM_RUN", directory.toString());
        start.environment().put("PAIRVM_QEMU", qemu(directory).toString());
        launcher = start.start();
        guest = newGuest();
    }

    QemuPod(Path directory, EventLoop loop, String uuid) throws Exception {
        this(
                directory,
                loop,
                uuid,
                new MirrorConfig.Firmware(false, uuid, Optional.of("serial, with comma")),
                List.of(),
                List.of(),
                Hardware.usual());
    }

    /** Another guest than the usual one; at most 510 bytes of code, in hexadecimal. Before the first start. */
    void bootSector(String hex) {
        Hardware.boot(disk.bytes, hex);
    }

    private GuestControl newGuest() {
        return new GuestControl(command, files, loop, events::add);
    }

    private static MirrorConfig config(
            String uuid, MirrorConfig.Firmware firmware, List<MirrorConfig.Interface> cards, Hardware hardware) {
        return new MirrorConfig(
                "orders",
                uuid,
                "default",
                new CopyId("a"),
                "pairvm-orders",
                List.of(new MirrorConfig.Disk(
                        "root",
                        "/nowhere",
                        MirrorConfig.Disk.Kind.FILE,
                        hardware.disk().length,
                        Optional.of("ROOT-1"),
                        Optional.empty())),
                MirrorConfig.Timing.DEFAULT,
                MirrorConfig.SlowPeer.DEGRADE,
                new MirrorConfig.Link(7400, List.of("eth0")),
                new MirrorConfig.Guest(
                        new MirrorConfig.Cpu(hardware.processors(), 1, 1, "max"),
                        hardware.memoryMib(),
                        "q35",
                        firmware,
                        cards,
                        Optional.empty(),
                        false,
                        Optional.empty(),
                        MirrorConfig.OnCrash.RESTART,
                        30),
                true);
    }

    /** Root of a system with QEMU: {@code PAIRVM_QEMU_ROOT}, else as the image builder leaves it, else the host itself. */
    private static Optional<Path> qemuRoot() {
        Path built = Path.of(System.getProperty("user.home"), ".cache/pairvm/images/trees/qemu");
        String wished = System.getenv("PAIRVM_QEMU_ROOT");
        List<Path> roots = wished == null ? List.of(built, Path.of("/")) : List.of(Path.of(wished));
        return roots.stream()
                .filter(root -> Files.isExecutable(root.resolve("usr/bin/qemu-system-x86_64")))
                .findFirst();
    }

    static boolean isPossible() {
        return qemuRoot().isPresent() && Files.isExecutable(Path.of("/usr/bin/busybox"));
    }

    /** A program that runs that QEMU with its own libraries and firmware. */
    private static Path qemu(Path directory) throws IOException {
        Path root = qemuRoot().orElseThrow();
        String libraries = root + "/usr/lib/x86_64-linux-gnu";
        String program = root.equals(Path.of("/"))
                ? "exec qemu-system-x86_64 \"$@\"\n"
                : "export QEMU_MODULE_DIR=" + libraries + "/qemu\nexec " + root
                        + "/lib64/ld-linux-x86-64.so.2 --library-path " + libraries + " " + root
                        + "/usr/bin/qemu-system-x86_64 -L " + root + "/usr/share/qemu -L " + root
                        + "/usr/share/seabios \"$@\"\n";
        Path script = directory.resolve("qemu");
        Files.writeString(script, "#!/bin/sh\n" + program);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
        return script;
    }

    /** Does something on the event loop, as the engine would. */
    <T> CompletableFuture<T> on(Callable<CompletableFuture<T>> action) {
        CompletableFuture<T> result = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                action.call().whenComplete((value, failure) -> {
                    if (failure == null) {
                        result.complete(value);
                    } else {
                        result.completeExceptionally(failure);
                    }
                });
            } catch (Exception e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    <T> T get(Callable<CompletableFuture<T>> action) throws Exception {
        return on(action).get(60, TimeUnit.SECONDS);
    }

    /** The mirrors let the disk grow. */
    void grow(int bytes) throws Exception {
        get(() -> {
            disk.grow(bytes);
            nbd.resize("root", bytes);
            return CompletableFuture.completedFuture("");
        });
    }

    /** Bytes of the disk as QEMU has it. */
    long diskInQemu() throws Exception {
        for (JsonNode node : get(() -> guest.execute("query-named-block-nodes"))) {
            if (node.path("node-name").asText().equals("disk0")) {
                return node.path("image").path("virtual-size").asLong();
            }
        }
        throw new AssertionError("QEMU has no disk");
    }

    GuestState state() throws Exception {
        return get(() -> CompletableFuture.completedFuture(guest.state()));
    }

    /** The next event of this kind; those before it are dropped. */
    <T extends GuestEvent> T await(Class<T> kind) throws Exception {
        for (; ; ) {
            GuestEvent event = events.poll(60, TimeUnit.SECONDS);
            if (event == null) {
                throw new AssertionError("no " + kind.getSimpleName() + "; launcher: "
                        + Files.readString(files.directory().resolve("launcher.log")));
            }
            if (kind.isInstance(event)) {
                return kind.cast(event);
            }
        }
    }

    /** The mirror dies and is started again; QEMU is not told. */
    GuestState restartMirror() throws Exception {
        get(() -> {
            guest.close();
            events.clear();
            guest = newGuest();
            return CompletableFuture.completedFuture("");
        });
        return get(() -> guest.adopt());
    }

    SocketChannel serial() throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(files.serialSocket()));
        return channel;
    }

    static void say(SocketChannel serial, String word) throws IOException {
        serial.write(ByteBuffer.wrap(word.getBytes(StandardCharsets.US_ASCII)));
    }

    /** Reads until the guest has said what is wanted; fails after a minute. */
    static String hear(SocketChannel serial, Predicate<String> enough) throws Exception {
        CompletableFuture<String> heard = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            StringBuilder text = new StringBuilder();
            ByteBuffer buffer = ByteBuffer.allocate(4096);
            try {
                while (!enough.test(text.toString()) && serial.read(buffer) >= 0) {
                    text.append(StandardCharsets.US_ASCII.decode(buffer.flip()));
                    buffer.clear();
                }
                heard.complete(text.toString());
            } catch (IOException e) {
                heard.completeExceptionally(e);
            }
        });
        return heard.get(60, TimeUnit.SECONDS);
    }

    /** Whether the guest says anything within that time. */
    static boolean speaks(SocketChannel serial, int millis) throws IOException {
        serial.configureBlocking(false);
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        while (serial.read(buffer) > 0) {
            buffer.clear(); // what it said before
        }
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        try (var selector = serial.provider().openSelector()) {
            serial.register(selector, SelectionKey.OP_READ);
            int left = (int) TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
            return selector.select(Math.max(1, left)) > 0;
        } finally {
            serial.configureBlocking(true);
        }
    }

    @Override
    public void close() throws Exception {
        get(() -> guest.kill());
        guest.close();
        launcher.destroy();
        launcher.waitFor(10, TimeUnit.SECONDS);
        launcher.destroyForcibly();
        nbd.close();
    }
}

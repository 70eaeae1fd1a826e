package dev.pairvm.mirror.network;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * A network namespace that stands for a pod, joined by its {@code eth0} with another that stands for the network: 10.9.0.2/24 in
 * the pod, 10.9.0.1/24 outside, which also is the pod's default gateway.
 */
public final class PodNamespace implements AutoCloseable {
    static final String POD_IP = "10.9.0.2";
    static final String OUTSIDE_IP = "10.9.0.1";

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle OPEN = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("open"),
            FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle SETNS = handle("setns", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle CLOSE = handle("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle IOCTL = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("ioctl"),
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle READ =
            handle("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle WRITE =
            handle("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle POLL =
            handle("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));

    private static int counter;

    private final Commands commands = new Commands(Duration.ofSeconds(10));
    private final String pod;
    private final String outside;
    private final ExecutorService inPod = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("in-pod").daemon().factory());

    /** Makes both namespaces. */
    public PodNamespace() throws Exception {
        String name = "pairvm-test-" + ProcessHandle.current().pid() + "-" + counter++;
        pod = name + "-pod";
        outside = name + "-out";
        commands.run("ip", "netns", "add", pod);
        commands.run("ip", "netns", "add", outside);
        commands.run("ip", "-n", pod, "link", "add", "eth0", "type", "veth", "peer", "name", "out0", "netns", outside);
        commands.run("ip", "-n", pod, "address", "add", POD_IP + "/24", "dev", "eth0");
        commands.run("ip", "-n", pod, "link", "set", "lo", "up");
        commands.run("ip", "-n", pod, "link", "set", "eth0", "up");
        commands.run("ip", "-n", pod, "route", "add", "default", "via", OUTSIDE_IP);
        commands.run("ip", "-n", outside, "address", "add", OUTSIDE_IP + "/24", "dev", "out0");
        commands.run("ip", "-n", outside, "link", "set", "out0", "up");
        commands.run("ip", "-n", outside, "link", "set", "lo", "up");
        in(() -> {
            try (Arena arena = Arena.ofConfined()) {
                int fd = (int) OPEN.invokeExact(arena.allocateFrom("/run/netns/" + pod), 0);
                if (fd < 0 || (int) SETNS.invokeExact(fd, 0x40000000) != 0 || (int) CLOSE.invokeExact(fd) != 0) {
                    throw new IllegalStateException("setns to " + pod + " failed");
                }
            } catch (Throwable t) {
                throw new IllegalStateException(t);
            }
            return "";
        });
    }

    /** Root, with /dev/net/tun and the two tools that the mirror's image has too. */
    public static boolean isPossible() {
        return Files.isWritable(Path.of("/dev/net/tun"))
                && Files.isWritable(Path.of("/run"))
                && Files.isExecutable(Path.of("/usr/sbin/nft"))
                && Files.isExecutable(Path.of("/usr/sbin/ip"))
                && "root".equals(System.getProperty("user.name"));
    }

    /** Runs something on a thread inside the pod's namespace; what it starts is there too. */
    public <T> T in(Callable<T> action) throws Exception {
        return inPod.submit(action).get();
    }

    /** The same without waiting. */
    <T> Future<T> begin(Callable<T> action) {
        return inPod.submit(action);
    }

    /** A command in the pod. */
    public String pod(String... command) throws Exception {
        return in(() -> commands.run(command));
    }

    /** What a command outside the pod printed. */
    public String readOutside(String... command) throws Exception {
        List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", outside));
        all.addAll(List.of(command));
        return commands.run("", all);
    }

    /** A command outside the pod; true if it succeeded. */
    public boolean outside(String... command) throws Exception {
        String[] all = new String[command.length + 4];
        System.arraycopy(new String[] {"ip", "netns", "exec", outside}, 0, all, 0, 4);
        System.arraycopy(command, 0, all, 4, command.length);
        return new ProcessBuilder(all)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
    }

    @Override
    public void close() throws Exception {
        inPod.shutdownNow();
        commands.run("ip", "netns", "del", pod);
        commands.run("ip", "netns", "del", outside);
    }

    /** The guest's end of a tap: sends and receives Ethernet frames. */
    static final class TapEnd implements AutoCloseable {
        private static final int TUNSETIFF = 0x400454ca;
        private static final short TAP_WITHOUT_HEADER = 0x1002;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment buffer = arena.allocate(2048, 8);
        private final int fd;

        /** In the namespace of the calling thread. */
        TapEnd(String tap) {
            try {
                fd = (int) OPEN.invokeExact(arena.allocateFrom("/dev/net/tun"), 2);
                MemorySegment request = arena.allocate(40, 8);
                request.setString(0, tap, StandardCharsets.US_ASCII);
                request.set(JAVA_SHORT, 16, TAP_WITHOUT_HEADER);
                if (fd < 0 || (int) IOCTL.invokeExact(fd, (long) TUNSETIFF, request) != 0) {
                    throw new IllegalStateException("no tap " + tap);
                }
            } catch (Throwable t) {
                throw new IllegalStateException(t);
            }
        }

        /** False where the tap is down. */
        boolean send(byte[] frame) {
            try {
                MemorySegment.copy(MemorySegment.ofArray(frame), 0, buffer, 0, frame.length);
                return (long) WRITE.invokeExact(fd, buffer, (long) frame.length) == frame.length;
            } catch (Throwable t) {
                throw new IllegalStateException(t);
            }
        }

        /** The next frame, empty if none comes in time. */
        byte[] receive(int millis) {
            try (Arena confined = Arena.ofConfined()) {
                MemorySegment poll = confined.allocate(8, 4);
                poll.set(JAVA_INT, 0, fd);
                poll.set(JAVA_SHORT, 4, (short) 1);
                if ((int) POLL.invokeExact(poll, 1L, millis) <= 0) {
                    return new byte[0];
                }
                long length = (long) READ.invokeExact(fd, buffer, 2048L);
                return length <= 0 ? new byte[0] : buffer.asSlice(0, length).toArray(JAVA_BYTE);
            } catch (Throwable t) {
                throw new IllegalStateException(t);
            }
        }

        @Override
        public void close() {
            try {
                int ignored = (int) CLOSE.invokeExact(fd);
                assert ignored <= 0;
            } catch (Throwable t) {
                throw new IllegalStateException(t);
            }
            arena.close();
        }
    }

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor);
    }
}

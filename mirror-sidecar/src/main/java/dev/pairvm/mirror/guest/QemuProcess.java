package dev.pairvm.mirror.guest;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A QEMU of this machine, and its signals. It is held by a file descriptor of the process ({@code pidfd_open(2)}), so that a
 * number that the kernel gave to another process meanwhile is never hit. Any thread.
 */
final class QemuProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(QemuProcess.class);
    private static final int SIGKILL = 9;
    private static final int SIGCONT = 18;
    private static final int SIGSTOP = 19;
    private static final int ESRCH = 3;
    private static final short POLLIN = 1;

    private static final Path PROC = Path.of("/proc");
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO_OFFSET = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));
    /** The same for all, and the same as the disks' calls have: the JVM makes code for each shape, which takes time at the start. */
    private static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private static final MethodHandle PIDFD_OPEN = function("pidfd_open");
    private static final MethodHandle PIDFD_SEND_SIGNAL = function("pidfd_send_signal");
    private static final MethodHandle POLL = function("poll");
    private static final MethodHandle CLOSE = function("close");

    private final int pid;
    private final int fd;
    private boolean closed;

    private QemuProcess(int pid, int fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /**
     * Takes hold of a process, if it is a QEMU with this uuid among its arguments.
     *
     * @return empty if there is no such process, or it is another program (or still the launcher, about to become QEMU)
     */
    static Optional<QemuProcess> find(int pid, String uuid) {
        int fd = (int) call(state -> (int) (long) PIDFD_OPEN.invokeExact(state, (long) pid, 0L, 0L, 0L, 0L));
        if (fd < 0) {
            if (fd != -ESRCH) {
                LOG.error("pidfd_open failed with errno {}; QEMU can not be signalled", -fd);
            }
            return Optional.empty();
        }
        // The descriptor first, the name after: what is read now belongs to the process that the descriptor holds, or
        // to none.
        QemuProcess process = new QemuProcess(pid, fd);
        if (process.isAlive() && isQemu(PROC.resolve(String.valueOf(pid)), uuid)) {
            return Optional.of(process);
        }
        process.close();
        return Optional.empty();
    }

    /** Every QEMU with this uuid in this pid name space, whether the launcher knows of it or not. */
    static List<QemuProcess> findAll(String uuid) {
        List<QemuProcess> found = new ArrayList<>();
        for (Path each : processes()) {
            if (isQemu(each, uuid)) {
                find(Integer.parseInt(each.getFileName().toString()), uuid).ifPresent(found::add);
            }
        }
        return found;
    }

    /** Whether a process runs whose arguments name this program. */
    static boolean isRunning(String program) {
        return processes().stream()
                .anyMatch(each -> arguments(each).stream()
                        .anyMatch(argument -> argument.equals(program) || argument.endsWith("/" + program)));
    }

    private static List<Path> processes() {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(
                PROC, each -> each.getFileName().toString().matches("[0-9]+"))) {
            all.forEach(found::add);
        } catch (IOException e) {
            throw new IllegalStateException("/proc can not be read", e);
        }
        return found;
    }

    private static boolean isQemu(Path process, String uuid) {
        List<String> arguments = arguments(process);
        int at = arguments.indexOf("-uuid");
        return at >= 0 && at + 1 < arguments.size() && arguments.get(at + 1).equals(uuid);
    }

    /** Empty for a process that is gone or a zombie. */
    private static List<String> arguments(Path process) {
        try {
            String all = Files.readString(process.resolve("cmdline"), StandardCharsets.ISO_8859_1);
            return Arrays.asList(all.split("\0"));
        } catch (IOException gone) {
            return List.of();
        }
    }

    int pid() {
        return pid;
    }

    /** Whether any of its threads is left. Not by its first thread's state: that one may be a zombie before the others. */
    synchronized boolean isAlive() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment poll = arena.allocate(8, 4); // struct pollfd
            poll.set(JAVA_INT, 0, fd);
            poll.set(JAVA_SHORT, 4, POLLIN);
            // pidfd_open(2): readable when the process, all of it, has ended.
            return !closed && call(state -> (int) (long) POLL.invokeExact(state, poll.address(), 1L, 0L, 0L, 0L)) == 0;
        }
    }

    /** Whether a signal has stopped it. */
    boolean isStopped() {
        return state() == 'T';
    }

    /** The letter of {@code /proc/PID/stat}, see {@code proc(5)}; {@code X} where it is gone. */
    private char state() {
        try {
            String stat = Files.readString(PROC.resolve(pid + "/stat"), StandardCharsets.ISO_8859_1);
            return stat.charAt(stat.lastIndexOf(')') + 2);
        } catch (IOException | IndexOutOfBoundsException gone) {
            return 'X';
        }
    }

    /** Stops it in the kernel, now; every thread of it, also those that execute the guest. */
    void stop() {
        signal(SIGSTOP);
    }

    /** Lets a stopped one go on. */
    void go() {
        signal(SIGCONT);
    }

    /** Ends it. It is gone when {@link #isAlive()} says so, which may be later. */
    void kill() {
        signal(SIGKILL);
    }

    private synchronized void signal(int number) {
        long result = closed
                ? -ESRCH
                : call(state ->
                        (int) (long) PIDFD_SEND_SIGNAL.invokeExact(state, (long) fd, (long) number, 0L, 0L, 0L));
        if (result < 0 && result != -ESRCH) {
            LOG.error("QEMU {} can not be sent signal {}: errno {}", pid, number, -result);
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            call(state -> (int) (long) CLOSE.invokeExact(state, (long) fd, 0L, 0L, 0L, 0L));
        }
    }

    private interface Downcall {
        int run(MemorySegment state) throws Throwable;
    }

    private static long call(Downcall downcall) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int result = downcall.run(state);
            return result >= 0 ? result : -state.get(JAVA_INT, ERRNO_OFFSET);
        } catch (Throwable t) {
            throw new AssertionError("a downcall to the C library threw", t);
        }
    }

    /** By the ABIs of 64-bit Linux a function does not see arguments that it does not ask for; of an {@code int} the lower half counts. */
    private static MethodHandle function(String name) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name), SHAPE, Linker.Option.captureCallState("errno"));
    }
}

package dev.pairvm.mirror.store;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;

/**
 * The system calls that {@link LinuxFile} needs, through the foreign-function interface. Each returns the result, or the errno
 * as a negative number as the kernel itself does, so that no call allocates. Pointers travel as {@code long}: on the 64-bit
 * Linux ABIs both take an integer register.
 *
 * <p>Not {@code FileChannel}: an interrupt would close it under every other thread, it has no {@code fallocate}, and it hides
 * errno. Not {@code mmap}: a disk error would arrive as a signal, and a write error nowhere.
 */
final class Linux {
    static final int O_RDONLY = 0;
    static final int O_RDWR = 2;
    static final int O_CREAT = 0x40;
    static final int O_EXCL = 0x80;
    static final int O_CLOEXEC = 0x80000;
    /** One of the few flags that differ between the ABIs. */
    static final int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0x10000 : 0x4000;

    static final int LOCK_EX = 2;
    static final int LOCK_NB = 4;
    static final int SEEK_END = 2;
    static final int SEEK_DATA = 3;
    static final int SEEK_HOLE = 4;
    static final int FALLOC_FL_KEEP_SIZE = 1;
    static final int FALLOC_FL_PUNCH_HOLE = 2;
    static final int FALLOC_FL_ZERO_RANGE = 0x10;
    static final int RWF_DSYNC = 2;
    static final int RWF_NOWAIT = 8;
    /** {@code _IOR(0x12, 114, size_t)}: size of a block device in bytes. */
    static final long BLKGETSIZE64 = 0x80081272L;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO_OFFSET = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    private static final MethodHandle OPEN = variadic("open", 2, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT);
    private static final MethodHandle IOCTL = variadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle CLOSE = plain("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle FLOCK = plain("flock", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle PREAD = plain("pread", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle PWRITE = plain("pwrite", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle PREADV2 =
            plain("preadv2", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle PWRITEV2 =
            plain("pwritev2", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle FDATASYNC = plain("fdatasync", JAVA_INT, JAVA_INT);
    private static final MethodHandle FTRUNCATE = plain("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
    private static final MethodHandle LSEEK = plain("lseek", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle FALLOCATE =
            plain("fallocate", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);

    /** Per thread: where the call leaves errno, and one {@code struct iovec}. */
    private record Scratch(MemorySegment state, MemorySegment iovec) {
        Scratch() {
            this(Arena.global().allocate(STATE), Arena.global().allocate(16, 8));
        }
    }

    // Freed never: the threads that do disk I/O are few and live as long as the process.
    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private Linux() {}

    private static MethodHandle plain(String name, MemoryLayout result, MemoryLayout... arguments) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name),
                FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle variadic(
            String name, int firstVariadic, MemoryLayout result, MemoryLayout... arguments) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name),
                FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(firstVariadic));
    }

    private static long resultOf(long result, MemorySegment state) {
        return result >= 0 ? result : -state.get(JAVA_INT, ERRNO_OFFSET);
    }

    private static AssertionError impossible(Throwable thrown) {
        return new AssertionError("a downcall to the C library threw", thrown);
    }

    static long open(String path, int flags, int mode) {
        MemorySegment state = SCRATCH.get().state();
        try (Arena arena = Arena.ofConfined()) {
            return resultOf(
                    (int) OPEN.invokeExact(state, arena.allocateFrom(path).address(), flags, mode), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long close(int fd) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((int) CLOSE.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long flock(int fd, int operation) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((int) FLOCK.invokeExact(state, fd, operation), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long pread(int fd, long address, long length, long offset) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((long) PREAD.invokeExact(state, fd, address, length, offset), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long preadCached(int fd, long address, long length, long offset) {
        Scratch scratch = SCRATCH.get();
        scratch.iovec().set(JAVA_LONG, 0, address);
        scratch.iovec().set(JAVA_LONG, 8, length);
        try {
            return resultOf(
                    (long) PREADV2.invokeExact(
                            scratch.state(), fd, scratch.iovec().address(), 1, offset, RWF_NOWAIT),
                    scratch.state());
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long pwrite(int fd, long address, long length, long offset) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((long) PWRITE.invokeExact(state, fd, address, length, offset), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long pwriteDurably(int fd, long address, long length, long offset) {
        Scratch scratch = SCRATCH.get();
        scratch.iovec().set(JAVA_LONG, 0, address);
        scratch.iovec().set(JAVA_LONG, 8, length);
        try {
            return resultOf(
                    (long) PWRITEV2.invokeExact(
                            scratch.state(), fd, scratch.iovec().address(), 1, offset, RWF_DSYNC),
                    scratch.state());
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long fdatasync(int fd) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((int) FDATASYNC.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long ftruncate(int fd, long size) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((int) FTRUNCATE.invokeExact(state, fd, size), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long lseek(int fd, long offset, int whence) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((long) LSEEK.invokeExact(state, fd, offset, whence), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long fallocate(int fd, int mode, long offset, long length) {
        MemorySegment state = SCRATCH.get().state();
        try {
            return resultOf((int) FALLOCATE.invokeExact(state, fd, mode, offset, length), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** Size of a block device in bytes, {@code -ENOTTY} for anything else. */
    static long deviceSize(int fd) {
        MemorySegment state = SCRATCH.get().state();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(JAVA_LONG);
            long result = resultOf((int) IOCTL.invokeExact(state, fd, BLKGETSIZE64, size.address()), state);
            return result < 0 ? result : size.get(JAVA_LONG, 0);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}

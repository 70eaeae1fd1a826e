package dev.pairvm.mirror.store;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

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
    private static final int ERRNO_OFFSET = (int) STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    /**
     * One shape for every function, for the JVM makes code for each shape, which takes longer than opening a disk: up to five integers or
     * pointers, whatever the function wants of them. The ABIs of 64-bit Linux pass these in registers, each as wide as it likes, so that a
     * function does not see those that it does not ask for; nor do they tell variadic ones apart, as long as no argument is a floating-point
     * number. Of an {@code int} result only the lower half counts.
     */
    private static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private static final MethodHandle OPEN = function("open");
    private static final MethodHandle IOCTL = function("ioctl");
    private static final MethodHandle CLOSE = function("close");
    private static final MethodHandle FLOCK = function("flock");
    private static final MethodHandle PREAD = function("pread");
    private static final MethodHandle PWRITE = function("pwrite");
    private static final MethodHandle PREADV2 = function("preadv2");
    private static final MethodHandle PWRITEV2 = function("pwritev2");
    private static final MethodHandle FDATASYNC = function("fdatasync");
    private static final MethodHandle FTRUNCATE = function("ftruncate");
    private static final MethodHandle LSEEK = function("lseek");
    private static final MethodHandle FALLOCATE = function("fallocate");

    /** Per thread: where the call leaves errno, and one {@code struct iovec}. Buffers, for a segment's accessors are made at run time too. */
    private static final class Scratch {
        private static final int IOVEC = 16;
        private final ByteBuffer memory =
                ByteBuffer.allocateDirect(IOVEC + (int) STATE.byteSize()).order(ByteOrder.nativeOrder());
        private final MemorySegment state = MemorySegment.ofBuffer(memory).asSlice(IOVEC);
        private final long address = MemorySegment.ofBuffer(memory).address();

        /** Its address. */
        long iovec(long base, long length) {
            memory.putLong(0, base).putLong(8, length);
            return address;
        }

        long resultOf(long result) {
            return result >= 0 ? result : -memory.getInt(IOVEC + ERRNO_OFFSET);
        }
    }

    // The threads that do disk I/O are few.
    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private Linux() {}

    private static MethodHandle function(String name) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name), SHAPE, Linker.Option.captureCallState("errno"));
    }

    private static AssertionError impossible(Throwable thrown) {
        return new AssertionError("a downcall to the C library threw", thrown);
    }

    static long open(String path, int flags, int mode) {
        Scratch scratch = SCRATCH.get();
        try (Arena arena = Arena.ofConfined()) {
            return scratch.resultOf((int) (long) OPEN.invokeExact(
                    scratch.state, arena.allocateFrom(path).address(), (long) flags, (long) mode, 0L, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long close(int fd) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((int) (long) CLOSE.invokeExact(scratch.state, (long) fd, 0L, 0L, 0L, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long flock(int fd, int operation) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf(
                    (int) (long) FLOCK.invokeExact(scratch.state, (long) fd, (long) operation, 0L, 0L, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long pread(int fd, long address, long length, long offset) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((long) PREAD.invokeExact(scratch.state, (long) fd, address, length, offset, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long preadCached(int fd, long address, long length, long offset) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((long) PREADV2.invokeExact(
                    scratch.state, (long) fd, scratch.iovec(address, length), 1L, offset, (long) RWF_NOWAIT));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long pwrite(int fd, long address, long length, long offset) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((long) PWRITE.invokeExact(scratch.state, (long) fd, address, length, offset, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long pwriteDurably(int fd, long address, long length, long offset) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((long) PWRITEV2.invokeExact(
                    scratch.state, (long) fd, scratch.iovec(address, length), 1L, offset, (long) RWF_DSYNC));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long fdatasync(int fd) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((int) (long) FDATASYNC.invokeExact(scratch.state, (long) fd, 0L, 0L, 0L, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long ftruncate(int fd, long size) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((int) (long) FTRUNCATE.invokeExact(scratch.state, (long) fd, size, 0L, 0L, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long lseek(int fd, long offset, int whence) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf((long) LSEEK.invokeExact(scratch.state, (long) fd, offset, (long) whence, 0L, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    static long fallocate(int fd, int mode, long offset, long length) {
        Scratch scratch = SCRATCH.get();
        try {
            return scratch.resultOf(
                    (int) (long) FALLOCATE.invokeExact(scratch.state, (long) fd, (long) mode, offset, length, 0L));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** Size of a block device in bytes, {@code -ENOTTY} for anything else. */
    static long deviceSize(int fd) {
        Scratch scratch = SCRATCH.get();
        // Where the iovec is: the answer goes there.
        long answer = scratch.iovec(0, 0);
        try {
            long result = scratch.resultOf(
                    (int) (long) IOCTL.invokeExact(scratch.state, (long) fd, BLKGETSIZE64, answer, 0L, 0L));
            return result < 0 ? result : scratch.memory.getLong(0);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}

package dev.pairvm.mirror.link;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A clock for leases: never set back, and not stopped by a suspend of the host. Any thread. */
@FunctionalInterface
public interface MonotonicClock {
    /** Nanoseconds since some fixed moment, above 0. */
    long nanos();

    /**
     * {@code CLOCK_BOOTTIME} of Linux (clock_gettime(2)). {@link System#nanoTime} is CLOCK_MONOTONIC, which stands still while
     * the host is suspended: a lease would outlive it.
     *
     * @throws IllegalStateException if the kernel or the C library has no such clock
     */
    static MonotonicClock boottime() {
        MonotonicClock clock = new Boottime();
        if (clock.nanos() <= 0) {
            throw new IllegalStateException("CLOCK_BOOTTIME can not be read");
        }
        return clock;
    }

    /** The call into the C library. */
    final class Boottime implements MonotonicClock {
        private static final int CLOCK_BOOTTIME = 7;
        private static final long SECOND = 1_000_000_000L;

        private final MethodHandle clockGettime;
        /** One per thread, so that calls do not meet. */
        private final ThreadLocal<Timespec> timespec = ThreadLocal.withInitial(Timespec::new);

        /** {@code struct timespec} of two 64-bit words. A buffer: a segment's accessors are made at run time, which holds up the start. */
        private static final class Timespec {
            private final ByteBuffer memory =
                    ByteBuffer.allocateDirect(2 * Long.BYTES).order(ByteOrder.nativeOrder());
            private final long address = MemorySegment.ofBuffer(memory).address();

            long nanos() {
                return memory.getLong(0) * SECOND + memory.getLong(Long.BYTES);
            }
        }

        private Boottime() {
            Linker linker = Linker.nativeLinker();
            clockGettime = linker.downcallHandle(
                    linker.defaultLookup()
                            .find("clock_gettime")
                            .orElseThrow(() -> new IllegalStateException("the C library has no clock_gettime")),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG),
                    Linker.Option.critical(false)); // some 20 ns through the vDSO: no need to leave the Java state
        }

        @Override
        public long nanos() {
            Timespec time = timespec.get();
            int failed;
            try {
                failed = (int) clockGettime.invokeExact(CLOCK_BOOTTIME, time.address);
            } catch (Throwable e) {
                throw new IllegalStateException("clock_gettime can not be called", e);
            }
            if (failed != 0) {
                throw new IllegalStateException("clock_gettime(CLOCK_BOOTTIME) failed");
            }
            return time.nanos();
        }
    }
}

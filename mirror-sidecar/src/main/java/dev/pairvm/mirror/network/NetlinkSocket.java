package dev.pairvm.mirror.network;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.pairvm.mirror.store.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A request-and-answer conversation with the kernel over netlink, in the network namespace of the thread that opens it. One
 * request at a time; may be used from any thread.
 */
final class NetlinkSocket implements AutoCloseable {
    /** Links, addresses. */
    static final int ROUTE = 0;
    /** The packet filter. */
    static final int NETFILTER = 12;

    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW_CLOEXEC = 3 | 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_RCVTIMEO = 20;
    private static final int SO_SNDTIMEO = 21;
    private static final int SOL_NETLINK = 270;
    /** Answers do not repeat the request, so they fit the buffer whatever was asked. */
    private static final int NETLINK_CAP_ACK = 10;

    private static final int NLMSG_ERROR = 2;
    /** A request of this process takes microseconds; beyond this something is wrong and the caller must not wait. */
    private static final long TIMEOUT_MICROS = 200_000;

    private static final int EINTR = 4;
    private static final int BUFFER_BYTES = 8192;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO_OFFSET = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));
    /** The same for all, and the same as the disks' calls have: the JVM makes code for each shape, which takes time at the start. */
    private static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private static final MethodHandle SOCKET = function("socket");
    private static final MethodHandle SETSOCKOPT = function("setsockopt");
    private static final MethodHandle SEND = function("send");
    private static final MethodHandle RECV = function("recv");
    private static final MethodHandle CLOSE = function("close");
    private static final MethodHandle IF_NAMETOINDEX = function("if_nametoindex");

    private final Arena arena = Arena.ofShared();
    private final MemorySegment state = arena.allocate(STATE);
    private final MemorySegment memory = arena.allocate(BUFFER_BYTES, 8);
    private final int fd;
    private int sequence = 1;
    private boolean closed;

    /** Opens it; fails where netlink is not allowed. */
    NetlinkSocket(int protocol) throws NetworkException {
        long opened = call(() -> (int)
                (long) SOCKET.invokeExact(state, (long) AF_NETLINK, (long) SOCK_RAW_CLOEXEC, (long) protocol, 0L, 0L));
        if (opened < 0) {
            arena.close();
            throw new NetworkException("no netlink socket: " + new Errno((int) -opened).symbol());
        }
        fd = (int) opened;
        timeout(SO_RCVTIMEO);
        timeout(SO_SNDTIMEO);
        memory.set(JAVA_INT, 0, 1);
        option(SOL_NETLINK, NETLINK_CAP_ACK, 4);
    }

    private void timeout(int option) throws NetworkException {
        memory.set(JAVA_LONG, 0, 0);
        memory.set(JAVA_LONG, 8, TIMEOUT_MICROS);
        option(SOL_SOCKET, option, 16);
    }

    private void option(int level, int option, int length) throws NetworkException {
        long result = call(() -> (int) (long)
                SETSOCKOPT.invokeExact(state, (long) fd, (long) level, (long) option, memory.address(), (long) length));
        if (result < 0) {
            throw new NetworkException("setsockopt on netlink: " + new Errno((int) -result).symbol());
        }
    }

    /** Begins messages that {@link #request} will send. */
    synchronized NetlinkMessages messages() {
        return new NetlinkMessages(sequence);
    }

    /**
     * Sends the messages and waits until every one of them that wants an answer has it.
     *
     * @param what for the error message: what the request was to do
     */
    synchronized void request(NetlinkMessages messages, String what) throws NetworkException {
        if (closed) {
            throw new NetworkException(what + ": the netlink socket is closed");
        }
        // Numbers of one request never come back, so a late answer to an earlier one is told apart.
        sequence = messages.nextSequence();
        ByteBuffer bytes = messages.finish();
        int length = bytes.remaining();
        MemorySegment.copy(MemorySegment.ofBuffer(bytes), 0, memory, 0, length);
        long sent = call(() -> (long) SEND.invokeExact(state, (long) fd, memory.address(), (long) length, 0L, 0L));
        if (sent != length) {
            throw new NetworkException(what + ": send: " + new Errno((int) -sent).symbol());
        }
        int missing = messages.acks();
        while (missing > 0) {
            long received = call(
                    () -> (long) RECV.invokeExact(state, (long) fd, memory.address(), (long) BUFFER_BYTES, 0L, 0L));
            if (received == -EINTR) {
                continue;
            }
            if (received <= 0) {
                throw new NetworkException(
                        what + ": no answer from the kernel: " + new Errno((int) -received).symbol());
            }
            missing -= count(memory.asSlice(0, received).asByteBuffer(), messages.firstSequence(), what);
        }
    }

    private static int count(ByteBuffer answer, int firstSequence, String what) throws NetworkException {
        answer.order(ByteOrder.nativeOrder());
        int good = 0;
        while (answer.remaining() >= NetlinkMessages.HEADER_BYTES + 4) {
            int at = answer.position();
            int length = answer.getInt(at);
            if (length < NetlinkMessages.HEADER_BYTES + 4 || length > answer.remaining()) {
                throw new NetworkException(what + ": the kernel's answer has a message of " + length + " bytes");
            }
            boolean ours = answer.getInt(at + 8) - firstSequence >= 0;
            if (ours && (answer.getShort(at + 4) & 0xffff) == NLMSG_ERROR) {
                int error = answer.getInt(at + NetlinkMessages.HEADER_BYTES);
                if (error != 0) {
                    throw new NetworkException(what + ": " + new Errno(-error).symbol());
                }
                good++;
            }
            answer.position(Math.min(answer.limit(), at + (length + 3) / 4 * 4));
        }
        return good;
    }

    /** Index of a device in the calling thread's network namespace; fails where there is none of that name. */
    static int index(String device) throws NetworkException {
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment state = confined.allocate(STATE);
            MemorySegment name = confined.allocateFrom(device);
            int index = (int) (long) IF_NAMETOINDEX.invokeExact(state, name.address(), 0L, 0L, 0L, 0L);
            if (index <= 0) {
                throw new NetworkException("the pod has no network device \"" + device + "\"");
            }
            return index;
        } catch (NetworkException e) {
            throw e;
        } catch (Throwable t) {
            throw new AssertionError("a downcall to the C library threw", t);
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            call(() -> (int) (long) CLOSE.invokeExact(state, (long) fd, 0L, 0L, 0L, 0L));
            arena.close();
        }
    }

    private interface Downcall {
        long run() throws Throwable;
    }

    private long call(Downcall downcall) {
        try {
            long result = downcall.run();
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

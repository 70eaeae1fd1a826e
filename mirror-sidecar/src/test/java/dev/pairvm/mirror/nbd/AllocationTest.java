package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Steady state makes no garbage: what one request costs the event loop's heap. */
@Timeout(120)
class AllocationTest {
    /** A few objects of Netty's own per turn of the loop are let pass; a payload or a chain of wrappers is not. */
    private static final long MOST_BYTES_PER_REQUEST = 100;

    /** Answers at once and keeps nothing. */
    private static final class NullBackend implements NbdBackend {
        @Override
        public void read(long offset, int length, ByteBuf target, NbdReply reply) {
            target.writerIndex(target.writerIndex() + length);
            reply.done();
        }

        @Override
        public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
            reply.done();
        }

        @Override
        public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
            reply.done();
        }

        @Override
        public void trim(long offset, long length, boolean fua, NbdReply reply) {
            reply.done();
        }

        @Override
        public void flush(NbdReply reply) {
            reply.done();
        }

        @Override
        public void cache(long offset, long length, NbdReply reply) {
            reply.done();
        }

        @Override
        public void blockStatus(long offset, long length, NbdExtentsReply reply) {
            reply.done();
        }
    }

    @Test
    void requestsMakeNoGarbage() throws Exception {
        var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        EventLoop loop = group.next();
        try (NbdServer server = NbdServer.onTcp(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                loop,
                new NbdExports(List.of(NbdExport.writable("root", 1 << 30, new NullBackend()))),
                NbdLimits.DEFAULT)) {
            try (TestClient client = TestClient.opened((InetSocketAddress) server.address(), "root", true)) {
                for (int size : new int[] {4096, 1 << 20}) {
                    byte[] payload = new byte[size];
                    int requests = size > 4096 ? 200 : 5000;
                    exchange(client, payload, requests);
                    long before = allocatedOn(loop);
                    exchange(client, payload, requests);
                    long perRequest = (allocatedOn(loop) - before) / (3L * requests);
                    assertThat(perRequest)
                            .as("bytes per request of %d bytes", size)
                            .isLessThan(MOST_BYTES_PER_REQUEST);
                }
            }
        } finally {
            group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
        }
    }

    private static void exchange(TestClient client, byte[] payload, int times) throws Exception {
        for (int i = 0; i < times; i++) {
            assertThat(client.error(1, 0, 0, payload.length, payload)).isZero();
            assertThat(client.read(0, payload.length)).hasSize(payload.length);
            assertThat(client.error(3, 0, 0, 0)).isZero();
        }
    }

    private static long allocatedOn(EventLoop loop) throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        return loop.submit(() -> threads.getCurrentThreadAllocatedBytes()).get(20, TimeUnit.SECONDS);
    }
}

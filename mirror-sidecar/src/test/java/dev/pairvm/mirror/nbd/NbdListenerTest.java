package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NbdListenerTest {
    @TempDir
    Path folder;

    static Stream<IoHandlerFactory> transports() {
        return Stream.of(EpollIoHandler.newFactory(), NioIoHandler.newFactory());
    }

    @ParameterizedTest
    @MethodSource("transports")
    void whoComesBeforeItServesWaitsAndIsGreetedThen(IoHandlerFactory transport) throws Exception {
        MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, transport);
        EventLoop loop = group.next();
        Path socket = folder.resolve("nbd.sock");
        try (NbdListener listener = NbdListener.onUnixSocket(socket, loop);
                SocketChannel early = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            early.connect(UnixDomainSocketAddress.of(socket));
            early.configureBlocking(false);
            ByteBuffer greeting = ByteBuffer.allocate(18);
            Thread.sleep(200);
            assertThat(early.read(greeting)).as("greeted before it serves").isZero();

            NbdExports exports = new NbdExports(List.of(NbdExport.writable("root", 1 << 20, new FakeBackend(1 << 20))));
            NbdServer server = listener.serve(exports, NbdLimits.DEFAULT);
            early.configureBlocking(true);
            while (greeting.hasRemaining() && early.read(greeting) >= 0) {
                // until the greeting is whole
            }
            assertThat(new String(greeting.array(), 0, 16, StandardCharsets.US_ASCII))
                    .isEqualTo("NBDMAGICIHAVEOPT");
            assertThatThrownBy(() -> listener.serve(exports, NbdLimits.DEFAULT))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("already");
            server.close();
            assertThat(Files.exists(socket)).isFalse();
        } finally {
            group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
        }
    }
}

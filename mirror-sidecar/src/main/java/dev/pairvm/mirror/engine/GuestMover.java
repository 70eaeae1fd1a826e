package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.link.StreamChannel;
import dev.pairvm.mirror.link.StreamDesk;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Leads a guest's live migration through the link. The source opens the stream {@value #EXPECT}; the target gets a QEMU ready that
 * waits for the guest and answers with one byte; then the source's QEMU connects to a local socket whose bytes arrive at the
 * target's. While {@value #EXPECT} is open the target keeps that QEMU; when it breaks before the hand-over, the guest does not come.
 */
final class GuestMover {
    static final String EXPECT = "expect-guest";
    static final String MIGRATION = "migration";

    private static final Logger LOG = LoggerFactory.getLogger(GuestMover.class);

    private final StreamDesk streams;
    private final Path localSocket;
    private @Nullable Channel listening;
    private @Nullable StreamChannel expecting;

    /** {@code localSocket} is where the source's QEMU connects. */
    GuestMover(StreamDesk streams, Path localSocket) {
        this.streams = streams;
        this.localSocket = localSocket;
    }

    // ---------------------------------------------------------------------------------------------------------- source

    /** A local socket that leads to the QEMU of {@code peer} that waits for the guest. */
    CompletableFuture<Path> open(CopyId peer) {
        CompletableFuture<Path> ready = new CompletableFuture<>();
        close();
        try {
            expecting = streams.open(peer, EXPECT, new StreamChannel.Handler() {
                @Override
                public void opened(StreamChannel stream) {}

                @Override
                public void received(StreamChannel stream, ByteBuf piece) {
                    stream.consumed(piece.readableBytes());
                    piece.release();
                    listen(peer, ready);
                }

                @Override
                public void writable(StreamChannel stream) {}

                @Override
                public void ended(StreamChannel stream) {
                    closed(stream, "the peer ended the exchange");
                }

                @Override
                public void closed(StreamChannel stream, String why) {
                    ready.completeExceptionally(new IllegalStateException("the peer does not take the guest: " + why));
                }
            });
        } catch (IllegalStateException e) {
            ready.completeExceptionally(e);
        }
        return ready;
    }

    private void listen(CopyId peer, CompletableFuture<Path> ready) {
        streams.listen(localSocket, peer, MIGRATION).addListener(done -> {
            if (done.isSuccess()) {
                listening = (Channel) done.getNow();
                ready.complete(localSocket);
            } else {
                ready.completeExceptionally(done.cause());
            }
        });
    }

    /** The move is over, one way or the other. */
    void close() {
        if (listening != null) {
            listening.close();
            listening = null;
        }
        if (expecting != null) {
            expecting.end();
            expecting = null;
        }
    }

    // ---------------------------------------------------------------------------------------------------------- target

    /** Takes guests from the peer: {@code guest} gets a QEMU ready for one, or is told that it will not come. */
    void serve(Supplier<GuestDesk> guest) {
        streams.accept(EXPECT, incoming -> {
            guest.get().expectGuest().whenComplete((socket, failure) -> {
                if (failure != null) {
                    LOG.warn("a guest that was to come is refused", failure);
                    incoming.refuse("no QEMU for it: " + failure.getMessage());
                } else {
                    streams.serve(MIGRATION, socket);
                    incoming.accept();
                    incoming.stream().write(Unpooled.wrappedBuffer(new byte[] {1}));
                }
            });
            return new StreamChannel.Handler() {
                @Override
                public void opened(StreamChannel stream) {}

                @Override
                public void received(StreamChannel stream, ByteBuf piece) {
                    stream.consumed(piece.readableBytes());
                    piece.release();
                }

                @Override
                public void writable(StreamChannel stream) {}

                @Override
                public void ended(StreamChannel stream) {
                    stream.end();
                    over();
                }

                @Override
                public void closed(StreamChannel stream, String why) {
                    over();
                }

                private void over() {
                    streams.withdraw(MIGRATION);
                    guest.get().guestWillNotCome();
                }
            };
        });
    }
}

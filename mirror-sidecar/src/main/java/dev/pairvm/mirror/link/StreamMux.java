package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.buffer.ByteBuf;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The streams of one link. Pieces go out one stream after the other, at most {@link #MOST_PIECES_QUEUED} of them between two disk
 * frames. Breaking the rules (an id twice, more than the window, more streams than allowed) costs the peer the connection: its
 * state and ours no longer agree. Event loop only.
 */
final class StreamMux {
    /** 128 KiB ahead of a disk frame: 0.1 ms on 10 Gbit/s. */
    private static final int MOST_PIECES_QUEUED = 2;

    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9./-]*");

    private final LinkConnection carrier;
    private final CopyId peer;
    private final Function<String, StreamChannel.@Nullable Acceptor> acceptors;
    private final Map<Integer, LinkStream> streams = new HashMap<>();
    private final ArrayDeque<LinkStream> turns = new ArrayDeque<>();
    private int nextId;
    private int lastPeerId;
    private int piecesQueued;
    private boolean closed;

    StreamMux(LinkConnection carrier, CopyId peer, Function<String, StreamChannel.@Nullable Acceptor> acceptors) {
        this.carrier = carrier;
        this.peer = peer;
        this.acceptors = acceptors;
        this.nextId = carrier.isDialed() ? 1 : 2;
    }

    CopyId peer() {
        return peer;
    }

    /** Opens a stream; its handler hears of success or failure later. */
    StreamChannel open(String name, StreamChannel.Handler handler) {
        if (!isName(name)) {
            throw new IllegalArgumentException("stream name must match " + NAME + ", got \"" + name + "\"");
        }
        if ((carrier.agreedFeatures() & LinkFrame.Feature.STREAMS) == 0) {
            throw new IllegalStateException("the mirror of copy " + peer + " is of a release without streams");
        }
        if (streams.size() >= StreamChannel.MOST_STREAMS) {
            throw new IllegalStateException("there are " + streams.size() + " streams on this link already");
        }
        LinkStream stream = new LinkStream(this, nextId, name, handler);
        nextId += 2;
        streams.put(stream.id(), stream);
        carrier.send(new LinkFrame.StreamOpen(stream.id(), name));
        return stream;
    }

    private static boolean isName(String name) {
        return name.length() <= StreamChannel.MOST_NAME && NAME.matcher(name).matches();
    }

    void frame(LinkFrame frame, @Nullable ByteBuf payload) {
        try {
            switch (frame) {
                case LinkFrame.StreamOpen(int id, String name) -> opened(id, name);
                case LinkFrame.StreamOpened(int id) -> with(id, LinkStream::peerAccepted);
                case LinkFrame.StreamData(int id) -> {
                    LinkStream stream = known(id);
                    if (stream != null && payload != null) {
                        stream.received(payload.retain());
                    }
                }
                case LinkFrame.StreamCredit(int id, int bytes) -> with(id, stream -> stream.credited(bytes));
                case LinkFrame.StreamEnd(int id) -> with(id, LinkStream::peerEnded);
                case LinkFrame.StreamReset(int id, String why) -> {
                    LinkStream stream = known(id);
                    if (stream != null) {
                        stream.gone("the peer reset it: " + why.replaceAll("\\p{Cntrl}", " "));
                    }
                }
                default -> throw new IllegalArgumentException(frame + " is no frame of a stream");
            }
        } catch (MalformedFrameException e) {
            carrier.streamMisused(String.valueOf(e.getMessage()));
        } finally {
            ReferenceCountUtil.release(payload);
        }
    }

    private interface Act {
        void on(LinkStream stream) throws MalformedFrameException;
    }

    private void with(int id, Act act) throws MalformedFrameException {
        LinkStream stream = known(id);
        if (stream != null) {
            act.on(stream);
        }
    }

    /** The stream, or null if it is over here: frames that the peer sent before it heard of that are passed over. */
    private @Nullable LinkStream known(int id) throws MalformedFrameException {
        LinkStream stream = streams.get(id);
        boolean wasOnce = isPeers(id) ? id <= lastPeerId : id < nextId;
        if (id < 1 || (stream == null && !wasOnce)) {
            throw new MalformedFrameException("stream " + id + " was never opened");
        }
        return stream;
    }

    private boolean isPeers(int id) {
        return (id & 1) != (nextId & 1);
    }

    private void opened(int id, String name) throws MalformedFrameException {
        if (!isPeers(id) || id <= lastPeerId) {
            throw new MalformedFrameException("stream " + id + " can not be opened, the last was " + lastPeerId);
        }
        if (!isName(name)) {
            throw new MalformedFrameException("name of stream " + id + " is malformed");
        }
        lastPeerId = id;
        StreamChannel.Acceptor acceptor = acceptors.apply(name);
        if (acceptor == null || streams.size() >= StreamChannel.MOST_STREAMS) {
            carrier.send(new LinkFrame.StreamReset(
                    id, acceptor == null ? "nobody takes streams named " + name : "too many streams"));
            return;
        }
        LinkStream stream = new LinkStream(this, id, name, null);
        streams.put(id, stream);
        stream.handledBy(acceptor.incoming(new Waiting(stream)));
    }

    /** A stream of the peer that this side has not answered. */
    private record Waiting(LinkStream stream) implements StreamChannel.Incoming {
        @Override
        public void accept() {
            stream.acceptHere();
        }

        @Override
        public void refuse(String why) {
            stream.reset(why);
        }
    }

    // ------------------------------------------------------------------------------------------------ for LinkStream

    void send(LinkFrame frame) {
        if (!closed) {
            carrier.send(frame);
        }
    }

    /** The stream has a piece and credit for it. */
    void wantsTurn(LinkStream stream) {
        if (!turns.contains(stream)) {
            turns.add(stream);
        }
        takeTurns();
    }

    private void takeTurns() {
        while (!closed && piecesQueued < MOST_PIECES_QUEUED && !turns.isEmpty()) {
            LinkStream stream = turns.remove();
            ByteBuf piece = stream.takePiece();
            if (piece != null) {
                piecesQueued++;
                carrier.sendPiece(new LinkFrame.StreamData(stream.id()), piece, () -> {
                    piecesQueued--;
                    takeTurns();
                });
                stream.pieceTaken();
            }
        }
    }

    void forget(LinkStream stream) {
        streams.remove(stream.id(), stream);
        turns.remove(stream);
    }

    /** The link is gone, and every stream with it. */
    void close(String why) {
        closed = true;
        new ArrayList<>(streams.values()).forEach(stream -> stream.gone(why));
        streams.clear();
        turns.clear();
    }
}

package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.buffer.ByteBuf;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

/** One stream's windows and its two directions. Event loop only. */
final class LinkStream implements StreamChannel {
    /** Credit is given back in pieces of a quarter window: rarely, but long before the sender runs dry. */
    private static final int CREDIT_STEP = WINDOW_BYTES / 4;

    private final StreamMux mux;
    private final int id;
    private final String name;
    private @Nullable Handler handler;
    private boolean acceptWanted;
    private boolean open;
    private boolean gone;
    private boolean endedHere;
    private boolean endSent;
    private boolean endedThere;
    private int mayBeSent = WINDOW_BYTES;
    private int mayArrive = WINDOW_BYTES;
    private int toBeCredited;
    private @Nullable ByteBuf piece;

    LinkStream(StreamMux mux, int id, String name, @Nullable Handler handler) {
        this.mux = mux;
        this.id = id;
        this.name = name;
        this.handler = handler;
    }

    int id() {
        return id;
    }

    void handledBy(Handler handler) {
        this.handler = handler;
        if (acceptWanted) {
            acceptHere();
        }
    }

    private Handler handler() {
        Handler set = handler;
        if (set == null) {
            throw new IllegalStateException("stream " + name + " was used before its acceptor returned a handler");
        }
        return set;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public CopyId peer() {
        return mux.peer();
    }

    // ------------------------------------------------------------------------------------------------------- this side

    @Override
    public boolean canWrite() {
        return (open || acceptWanted) && !gone && !endedHere && piece == null;
    }

    @Override
    public void write(ByteBuf next) {
        int length = next.readableBytes();
        if (!canWrite() || length < 1 || length > CHUNK_BYTES) {
            next.release();
            throw new IllegalStateException("stream " + name + " can not take " + length + " bytes now");
        }
        piece = next;
        if (open && mayBeSent >= length) {
            mux.wantsTurn(this);
        }
    }

    /** The mux sends the piece now; null if there is none, or no credit for it. */
    @Nullable
    ByteBuf takePiece() {
        ByteBuf next = piece;
        if (next == null || mayBeSent < next.readableBytes()) {
            return null;
        }
        mayBeSent -= next.readableBytes();
        piece = null;
        return next;
    }

    void pieceTaken() {
        if (endedHere) {
            sendEnd();
        } else {
            handler().writable(this);
        }
    }

    @Override
    public void end() {
        if (!gone && !endedHere) {
            endedHere = true;
            if (piece == null) {
                sendEnd();
            }
        }
    }

    private void sendEnd() {
        endSent = true;
        mux.send(new LinkFrame.StreamEnd(id));
        forgetIfOver();
    }

    @Override
    public void reset(String why) {
        if (!gone) {
            mux.send(new LinkFrame.StreamReset(id, why));
            leave();
        }
    }

    @Override
    public void consumed(int bytes) {
        toBeCredited += bytes;
        if (!gone && !endedThere && toBeCredited >= CREDIT_STEP) {
            mayArrive += toBeCredited;
            mux.send(new LinkFrame.StreamCredit(id, toBeCredited));
            toBeCredited = 0;
        }
    }

    void acceptHere() {
        if (handler == null) {
            acceptWanted = true; // the acceptor says so before it has returned its handler
        } else if (!gone && !open) {
            open = true;
            mux.send(new LinkFrame.StreamOpened(id));
            handler().opened(this);
            if (piece != null) {
                mux.wantsTurn(this);
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------- the peer

    void peerAccepted() throws MalformedFrameException {
        if (open || handler == null) {
            throw new MalformedFrameException("stream " + id + " was accepted twice");
        }
        open = true;
        handler().opened(this);
    }

    /** Takes the piece's reference. */
    void received(ByteBuf arrived) throws MalformedFrameException {
        int length = arrived.readableBytes();
        if (length > mayArrive || endedThere || !open) {
            arrived.release();
            throw new MalformedFrameException(
                    "stream " + id + (open && !endedThere ? " broke its window" : " is not open"));
        }
        mayArrive -= length;
        handler().received(this, arrived);
    }

    void credited(int bytes) throws MalformedFrameException {
        if (bytes < 1 || bytes > WINDOW_BYTES - mayBeSent) {
            throw new MalformedFrameException("stream " + id + " was given " + bytes + " bytes of credit too many");
        }
        mayBeSent += bytes;
        if (piece != null && mayBeSent >= piece.readableBytes()) {
            mux.wantsTurn(this);
        }
    }

    void peerEnded() throws MalformedFrameException {
        if (endedThere || !open) {
            throw new MalformedFrameException("stream " + id + " ended twice, or before it was open");
        }
        endedThere = true;
        handler().ended(this);
        forgetIfOver();
    }

    private void forgetIfOver() {
        if (endSent && endedThere) {
            gone = true;
            mux.forget(this);
        }
    }

    /** It ended without a proper end. */
    void gone(String why) {
        if (!gone) {
            leave();
            if (handler != null) {
                handler.closed(this, why);
            }
        }
    }

    private void leave() {
        gone = true;
        ReferenceCountUtil.release(piece);
        piece = null;
        mux.forget(this);
    }
}

package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.buffer.ByteBuf;

/**
 * A byte stream to the peer inside the link, both ways, with a window of its own: a reader that stops holds up this stream and
 * nothing else. Pieces take turns with disk frames, so a stream takes the bandwidth that is left. Ends with the link it was
 * opened on. Event loop only.
 */
public interface StreamChannel {
    /** Largest piece. */
    int CHUNK_BYTES = 64 << 10;
    /** Most bytes on their way in one direction of one stream: sent and not yet {@link #consumed}. */
    int WINDOW_BYTES = 1 << 20;
    /** Longest name, in bytes. */
    int MOST_NAME = 64;
    /** Most streams at a time on one link, both sides together. */
    int MOST_STREAMS = 16;

    /** What it is for, as its opener named it. */
    String name();

    /** The copy at the other end. */
    CopyId peer();

    /** Whether {@link #write} may be called: the last piece has gone. */
    boolean canWrite();

    /**
     * Takes one piece of 1 to {@link #CHUNK_BYTES} bytes and its reference. {@link Handler#writable} follows when the next may come.
     *
     * @throws IllegalStateException if {@link #canWrite} is false; the reference is released
     */
    void write(ByteBuf piece);

    /** No more pieces from this side; what was written still arrives. */
    void end();

    /** Ends both directions now. {@link Handler#closed} is not called for one's own reset. */
    void reset(String why);

    /** The handler is done with this many bytes of what it received; the peer may send as many more. */
    void consumed(int bytes);

    /** One end's user. Called on the event loop. */
    interface Handler {
        /** The other end is there; pieces may be written. */
        void opened(StreamChannel stream);

        /** A piece arrived; its reference passes to the handler, which says {@link StreamChannel#consumed} later. */
        void received(StreamChannel stream, ByteBuf piece);

        /** The next piece may be written. */
        void writable(StreamChannel stream);

        /** Nothing more comes from the peer. */
        void ended(StreamChannel stream);

        /** The stream is gone before both directions ended. */
        void closed(StreamChannel stream, String why);
    }

    /** Who takes the streams of one name. */
    @FunctionalInterface
    interface Acceptor {
        /**
         * A peer opens a stream; the handler gets everything from now. It must call {@link Incoming#accept} or {@link
         * Incoming#refuse}, now or later.
         */
        Handler incoming(Incoming stream);
    }

    /** A stream that waits for its acceptor. */
    interface Incoming {
        StreamChannel stream();

        /** This end is ready. */
        void accept();

        /** There is nobody here. */
        void refuse(String why);
    }
}

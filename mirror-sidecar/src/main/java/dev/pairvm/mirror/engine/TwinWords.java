package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.link.StreamChannel;
import io.netty.buffer.ByteBuf;

/**
 * The streams between the two mirrors of a twinning, and what goes over the first of them.
 *
 * <pre>
 * active                                                       standby
 *   expect-twin  ──────────────────────────────────────────►  a QEMU that waits, overlays, the writes' way through it
 *                ◄──────────────────────────────────── READY
 *   twin-ram     ──────────────────────────────────────────►  memory, then checkpoints; both ways
 *   twin-copied-N, twin-answers-N  ◄────────────────────────  opened by the standby's QEMU; frames both ways
 *                ◄─────────────────────────────── CHECKPOINT  an overlay is full
 *                HOLD, GO_ON ──────────────────────────────►  the guest stands still, and goes on: the twin likewise
 *                WRITES_BACK ──────────────────────────────►
 *                ◄─────────────────────────────────────── OK  nothing is under way through the twin
 *   (end)        ──────────────────────────────────────────►  the twin is given up
 * </pre>
 *
 * The first stream ends in order when the record lets nobody take over any more. One that breaks says nothing: then the record decides.
 */
final class TwinWords {
    static final String EXPECT = "expect-twin";
    static final String RAM = "twin-ram";

    static final byte READY = 1;
    static final byte CHECKPOINT = 2;
    static final byte WRITES_BACK = 3;
    static final byte OK = 4;
    static final byte HOLD = 5;
    static final byte GO_ON = 6;

    /** Hears one word. */
    @FunctionalInterface
    interface Listener {
        void heard(byte word);
    }

    private TwinWords() {}

    /** Takes a piece of the first stream apart, and its reference with it. */
    static void read(StreamChannel stream, ByteBuf piece, Listener listener) {
        try {
            stream.consumed(piece.readableBytes());
            while (piece.isReadable()) {
                listener.heard(piece.readByte());
            }
        } finally {
            piece.release();
        }
    }

    static String copied(int card) {
        return "twin-copied-" + card;
    }

    static String answers(int card) {
        return "twin-answers-" + card;
    }
}

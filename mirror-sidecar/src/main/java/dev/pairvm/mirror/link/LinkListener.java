package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Who hears of the link: the engine. Every method is called on the event loop, never from within a call to {@link PeerLink}, and
 * should not throw.
 */
public interface LinkListener {
    /** A link to this peer is up; frames may be sent from now. Follows a {@link #linkDown} if there was one before. */
    void linkUp(PeerUp up);

    /** The link is gone. Frames sent on it and not yet received are lost; no frame of it arrives after this. */
    void linkDown(CopyId peer, Event.LinkDown.Cause cause, String why);

    /** A frame of the core arrived whole. {@code payload} has one reference, which passes to the listener. */
    void messageReceived(CopyId peer, Message message, @Nullable ByteBuf payload);

    /** Whether more should be sent now. Frames sent to a link that is not writable are kept all the same. */
    void writabilityChanged(CopyId peer, boolean writable);

    /** A beacon of the session was heard, some time ago: {@link Event.BeaconHeard#receivedAt}. */
    void beaconHeard(Event.BeaconHeard heard, PeerHealth health);

    /** A path to this peer came up or went. For reports; frames find their way without. */
    void pathsChanged(CopyId peer);

    /** Somebody was refused. {@code reason} counts, {@code sentence} explains. */
    void refused(Refusal reason, String sentence);

    /**
     * A peer to send to.
     *
     * @param peer its copy
     * @param path where, for reports: the address dialed, or the one it came from
     * @param life random word of the peer's process
     * @param version of the link, the newest that both speak
     * @param features bits of {@link LinkFrame.Feature} that both have
     */
    record PeerUp(CopyId peer, String path, long life, int version, long features) {
        /** Whether it can be asked for what this side can not read itself. */
        public boolean answersReads() {
            return (features & LinkFrame.Feature.READS) != 0;
        }

        /** Whether it can be asked for the hashes of what its device holds. */
        public boolean verifies() {
            return (features & LinkFrame.Feature.VERIFIES) != 0;
        }

        /** Whether it can be asked to let a disk grow. */
        public boolean grows() {
            return (features & LinkFrame.Feature.GROWTH) != 0;
        }

        /** Whether it can be asked for hashes of pieces of chunks. */
        public boolean comparesPieces() {
            return (features & LinkFrame.Feature.PIECES) != 0;
        }
    }

    /**
     * What the peer's beacon says of its data path, for who wants to see through beacons that flow while it is wedged.
     *
     * @param epoch the highest epoch the peer knows
     * @param loopTickAgeMillis how long ago its event loop turned
     * @param oldestIoMillis age of its oldest unanswered local I/O
     */
    record PeerHealth(long epoch, int loopTickAgeMillis, int oldestIoMillis) {}

    /** Why a connection was refused. */
    enum Refusal {
        /** No TLS 1.3 with a certificate of the machine's CA that is valid now. */
        CERTIFICATE,
        /** A good certificate, but not of this machine, or not of the copy expected there, or the operator's. */
        IDENTITY,
        /** It speaks another version. */
        VERSION,
        /** It sent what is no frame. */
        MALFORMED,
        /** It said nothing in time. */
        SILENT,
        /** There are too many connections. */
        TOO_MANY
    }
}

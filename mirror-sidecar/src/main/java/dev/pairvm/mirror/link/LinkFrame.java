package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import java.util.List;

/** Frames of the link itself; the core never sees them. */
sealed interface LinkFrame {
    /**
     * Features of this build, one bit each. Both sides use what both have. A frame type that a later release adds belongs to a feature,
     * and is sent only to a peer that has it; who gets it all the same ends the connection, as for any unknown type.
     */
    long FEATURES = Feature.STREAMS | Feature.READS | Feature.VERIFIES | Feature.GROWTH | Feature.PIECES;

    /** Bits of {@link Greeting#features}. */
    final class Feature {
        /** Byte streams inside the link. */
        static final long STREAMS = 1;
        /** A lead may read from its peer. */
        static final long READS = 2;
        /** A lead may ask for the hashes of what the peer's device holds. */
        static final long VERIFIES = 4;
        /** A disk may grow while it is mirrored. */
        static final long GROWTH = 32;

        /** A lead may ask for hashes of pieces of chunks. */
        static final long PIECES = 8;

        private Feature() {}
    }

    /**
     * First frame of both sides on every connection. Fields keep their places for ever, and further ones come behind: each side must be
     * able to read the greeting of a release that it does not know, to find out what both speak.
     *
     * @param speaks versions of framing and frames that the sender speaks
     * @param features what the sender can
     * @param machineUid must be the receiver's
     * @param copy must be the certificate's
     * @param life random word of the sender's process
     * @param beaconPort UDP port of the sender's beacons
     * @param beaconKey 32 random bytes that authenticate the sender's beacons; travels only inside TLS
     * @param addresses where the sender can be reached, best first
     */
    record Greeting(
            LinkVersions speaks,
            long features,
            String machineUid,
            CopyId copy,
            long life,
            int beaconPort,
            Secret beaconKey,
            List<PeerAddress> addresses)
            implements LinkFrame {
        public Greeting {
            addresses = List.copyOf(addresses);
        }
    }

    /** A greeting of somebody who speaks nothing as old as this side: its oldest version is all that is read of it. */
    record ForeignGreeting(int version) implements LinkFrame {}

    /** By the dialer: frames of the core travel on this connection from here; an earlier one is void. */
    record Select() implements LinkFrame {}

    /** Answered by {@link Pong} at once; {@code sentAt} is the sender's clock. */
    record Ping(long sentAt) implements LinkFrame {}

    /** Answers {@link Ping} with its time. */
    record Pong(long sentAt) implements LinkFrame {}

    /** The sender closes this connection now; a clause for the log. */
    record Bye(String why) implements LinkFrame {}

    /** Opens a stream. Ids are odd from the dialer and even from the other side, and rise. */
    record StreamOpen(int stream, String name) implements LinkFrame {}

    /** The other side of the stream is there. */
    record StreamOpened(int stream) implements LinkFrame {}

    /** The payload belongs to this stream. */
    record StreamData(int stream) implements LinkFrame {}

    /** This many more bytes may be sent. */
    record StreamCredit(int stream, int bytes) implements LinkFrame {}

    /** No more data in this direction. */
    record StreamEnd(int stream) implements LinkFrame {}

    /** The stream is gone in both directions. */
    record StreamReset(int stream, String why) implements LinkFrame {}
}

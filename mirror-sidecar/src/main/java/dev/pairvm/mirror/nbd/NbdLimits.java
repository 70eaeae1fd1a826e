package dev.pairvm.mirror.nbd;

import java.time.Duration;

/**
 * What one server grants its clients. A connection at its bounds is not read from until replies have left; nothing is refused.
 * Worst memory, whatever clients do, also those that leave and come again: {@code maxConnections * (maxInFlightBytes + }{@link #MAX_REQUEST_BYTES}{@code )}; a QEMU of one machine opens one
 * connection per disk and stays far below.
 *
 * @param maxConnections further ones are closed at once; one that has gone counts until everything it asked for has ended
 * @param maxInFlightRequests per connection, accepted and not yet answered
 * @param maxInFlightBytes per connection, payload and read buffers of those requests; a single larger request is let through
 *     alone
 * @param handshakeTimeout how long a client may take until it has chosen an export
 */
public record NbdLimits(int maxConnections, int maxInFlightRequests, int maxInFlightBytes, Duration handshakeTimeout) {
    /** Longest read or write, as announced to clients; the size that every client may rely on (proto.md, block size constraints). */
    public static final int MAX_REQUEST_BYTES = 32 << 20;

    /** 16 connections, each 128 requests and 16 MiB; 10 s for the handshake. */
    public static final NbdLimits DEFAULT = new NbdLimits(16, 128, 16 << 20, Duration.ofSeconds(10));

    /** Checks that each bound is positive; throws {@link IllegalArgumentException} naming the field. */
    public NbdLimits {
        if (maxConnections < 1 || maxInFlightRequests < 1 || maxInFlightBytes < 1) {
            throw new IllegalArgumentException(
                    "maxConnections, maxInFlightRequests and maxInFlightBytes must be positive, got " + maxConnections
                            + ", " + maxInFlightRequests + ", " + maxInFlightBytes);
        }
        if (handshakeTimeout.isNegative() || handshakeTimeout.isZero()) {
            throw new IllegalArgumentException("handshakeTimeout must be positive, got " + handshakeTimeout);
        }
    }
}

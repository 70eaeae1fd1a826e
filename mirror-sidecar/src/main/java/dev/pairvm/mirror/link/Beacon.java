package dev.pairvm.mirror.link;

import java.nio.ByteBuffer;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * One beacon: a datagram of {@link #BYTES} bytes, authenticated by HMAC-SHA256 (RFC 2104, cut to 16 bytes) under a key that its
 * sender gave inside TLS. Copies of one beacon on several paths differ in their last byte only: one code serves all. A replay is harmless: numbers rise for the life of the key, and the session must be the running one.
 *
 * @param to which of the receiver's announced addresses it was sent to
 * @param granted whether the sender grants a lease for {@code echoSentAt}
 * @param stalled whether frames that the sender sent wait for their acknowledgement: the path they travel is cut
 * @param heardMask bit i: the sender hears the receiver on its own address i
 * @param n rising by one per interval; the copies on several paths have the same
 * @param sentAt the sender's clock
 * @param echoSentAt {@code sentAt} of the newest beacon that the sender had heard, 0 if none
 * @param holdNanos how long ago it had heard that one
 * @param session the session
 * @param epoch highest epoch that the sender knows
 * @param loopTickAgeMillis how long ago the sender's event loop turned
 * @param oldestIoMillis age of the sender's oldest local I/O, 0 if none
 */
record Beacon(
        int to,
        boolean granted,
        boolean stalled,
        int heardMask,
        long n,
        long sentAt,
        long echoSentAt,
        long holdNanos,
        long session,
        long epoch,
        int loopTickAgeMillis,
        int oldestIoMillis) {
    static final int BYTES = 81;
    /** Where {@code to} lies: behind the code. A lie about it could only mislead the choice of a path. */
    static final int TO_AT = 80;

    private static final int MAC_BYTES = 16;
    private static final int SIGNED_BYTES = TO_AT - MAC_BYTES;
    private static final int MAGIC = 0x50564d42; // "PVMB"
    private static final int VERSION = 1;
    private static final int GRANTED = 1;
    private static final int STALLED = 2;

    /** Computes the code that authenticates beacons under one key, and remembers the last; one thread. */
    static final class Seal {
        private final Mac mac;
        private final byte[] last = new byte[TO_AT];

        Seal(Secret key) {
            try {
                mac = Mac.getInstance("HmacSHA256");
                mac.init(new SecretKeySpec(key.bytes(), "HmacSHA256"));
            } catch (NoSuchAlgorithmException | InvalidKeyException e) {
                throw new IllegalStateException("every Java platform has HmacSHA256", e);
            }
        }

        private byte[] of(ByteBuffer signed) {
            mac.update(signed);
            return Arrays.copyOf(mac.doFinal(), MAC_BYTES);
        }

        /** Whether the datagram at {@code start} is authentic. The copy of one that was needs no second computation. */
        private boolean isRight(ByteBuffer in, int start) {
            byte[] signedAndCode = new byte[TO_AT];
            in.get(start, signedAndCode);
            if (MessageDigest.isEqual(signedAndCode, last)) {
                return true;
            }
            byte[] code = Arrays.copyOfRange(signedAndCode, SIGNED_BYTES, TO_AT);
            if (!MessageDigest.isEqual(code, of(in.slice(start, SIGNED_BYTES)))) {
                return false;
            }
            System.arraycopy(signedAndCode, 0, last, 0, TO_AT);
            return true;
        }
    }

    /** Makes the datagram in {@code out} the copy for another of the receiver's addresses. */
    static void readdress(ByteBuffer out, int to) {
        out.rewind();
        out.put(TO_AT, (byte) to);
    }

    /** Writes the datagram into {@code out}, which is cleared before and ready to be sent after. */
    void write(ByteBuffer out, Seal seal) {
        out.clear();
        out.putInt(MAGIC)
                .put((byte) VERSION)
                .put((byte) ((granted ? GRANTED : 0) | (stalled ? STALLED : 0)))
                .put((byte) heardMask)
                .put((byte) 0);
        out.putLong(n)
                .putLong(sentAt)
                .putLong(echoSentAt)
                .putLong(holdNanos)
                .putLong(session)
                .putLong(epoch);
        out.putInt(loopTickAgeMillis).putInt(oldestIoMillis);
        out.put(seal.of(out.slice(0, SIGNED_BYTES)));
        out.put((byte) to);
        out.flip();
    }

    /** The beacon in {@code in}, from its position to its limit; null if it is none or not authentic. */
    static @Nullable Beacon read(ByteBuffer in, Seal seal) {
        if (in.remaining() != BYTES) {
            return null;
        }
        int start = in.position();
        if (in.getInt(start) != MAGIC || in.get(start + 4) != VERSION) {
            return null;
        }
        if (!seal.isRight(in, start)) {
            return null;
        }
        return new Beacon(
                in.get(start + TO_AT) & 0xff,
                (in.get(start + 5) & GRANTED) != 0,
                (in.get(start + 5) & STALLED) != 0,
                in.get(start + 6) & 0xff,
                in.getLong(start + 8),
                in.getLong(start + 16),
                in.getLong(start + 24),
                in.getLong(start + 32),
                in.getLong(start + 40),
                in.getLong(start + 48),
                in.getInt(start + 56),
                in.getInt(start + 60));
    }
}

package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Superblock;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The core's {@link Superblock} as bytes, the content of {@link SuperblockSlots}.
 *
 * <pre>
 *   u16 + n   uid of the machine, UTF-8
 *   u16 + n   uid of the arbiter's Lease
 *   u16 + n   copy
 *   u8        state: 1 blank, 2 syncing, 3 stale, 4 in sync, 5 failed
 *   u64       epoch last in sync
 *   u64       highest epoch seen
 *   u64       lineage: current
 *   u64       lineage: base
 *   u8        lineage: n earlier ones, then n u64
 *   u8        1 if stopped clean
 * </pre>
 */
final class SuperblockCodec {
    private SuperblockCodec() {}

    static byte[] encode(Superblock superblock) {
        ByteBuffer out = ByteBuffer.allocate(SuperblockSlots.MAX_CONTENT_BYTES);
        putString(out, superblock.machineUid());
        putString(out, superblock.arbiterUid());
        putString(out, superblock.copy().value());
        out.put(codeOf(superblock.state()));
        out.putLong(superblock.epochLastInSync().value());
        out.putLong(superblock.maxEpochSeen().value());
        Lineage lineage = superblock.lineage();
        out.putLong(lineage.current()).putLong(lineage.base());
        out.put((byte) lineage.history().size());
        lineage.history().forEach(out::putLong);
        out.put((byte) (superblock.clean() ? 1 : 0));
        byte[] bytes = new byte[out.flip().remaining()];
        out.get(bytes);
        return bytes;
    }

    /** Absent when the bytes are no superblock, although their checksum was right. */
    static Optional<Superblock> decode(byte[] content) {
        ByteBuffer in = ByteBuffer.wrap(content);
        try {
            String machineUid = string(in);
            String arbiterUid = string(in);
            CopyId copy = new CopyId(string(in));
            Optional<CopyState> state = stateOf(in.get());
            Epoch lastInSync = new Epoch(in.getLong());
            Epoch maxSeen = new Epoch(in.getLong());
            long current = in.getLong();
            long base = in.getLong();
            int earlier = Byte.toUnsignedInt(in.get());
            List<Long> history = new ArrayList<>();
            for (int i = 0; i < earlier; i++) {
                history.add(in.getLong());
            }
            int clean = in.get();
            if (in.hasRemaining() || clean < 0 || clean > 1) {
                return Optional.empty();
            }
            Lineage lineage = new Lineage(current, base, history);
            return state.map(
                    s -> new Superblock(machineUid, arbiterUid, copy, s, lastInSync, maxSeen, lineage, clean == 1));
        } catch (BufferUnderflowException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static byte codeOf(CopyState state) {
        return switch (state) {
            case BLANK -> 1;
            case SYNCING -> 2;
            case STALE -> 3;
            case IN_SYNC -> 4;
            case FAILED -> 5;
        };
    }

    private static Optional<CopyState> stateOf(byte code) {
        for (CopyState state : CopyState.values()) {
            if (codeOf(state) == code) {
                return Optional.of(state);
            }
        }
        return Optional.empty();
    }

    private static void putString(ByteBuffer out, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > 256) {
            throw new IllegalArgumentException("a name in the superblock is longer than 256 bytes: " + value);
        }
        out.putShort((short) bytes.length).put(bytes);
    }

    private static String string(ByteBuffer in) {
        int length = Short.toUnsignedInt(in.getShort());
        if (length > in.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}

package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.ChunkHash;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.core.PieceHash;
import dev.pairvm.mirror.core.Role;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** One of every message, with telling values. */
final class SampleMessages {
    static final CopyId A = new CopyId("a");
    static final CopyId B = new CopyId("b");

    private SampleMessages() {}

    static ArbiterRecord arbiter() {
        return new ArbiterRecord(
                new Epoch(17),
                A,
                new TreeSet<>(List.of(A, B)),
                ArbiterRecord.Mode.FT,
                "7f3a-nonce",
                new TreeMap<>(Map.of(A, List.of("10.0.0.1:7400", "[fd00::1]:7400"), B, List.of())));
    }

    static Message.Hello hello() {
        return new Message.Hello(
                Message.PROTOCOL,
                17,
                "uid-1",
                B,
                -5,
                Long.MIN_VALUE,
                Role.STANDBY,
                CopyState.IN_SYNC,
                new Lineage(3, 2, List.of(2L, 1L)),
                List.of(1L << 40, 512L),
                List.of(new Extent(0, 7), new Extent(0, 8), new Extent(0, 9), new Extent(1, 0), new Extent(1, 5)));
    }

    static List<Message> all() {
        return List.of(
                hello(),
                new Message.Attach(17, 99, Message.AttachKind.RECONCILE, arbiter()),
                new Message.Attached(17, 99),
                new Message.Refused(18, 99, "the record names \u00e4nother active"),
                new Message.EpochChanged(18, 99, arbiter()),
                new Message.Write(17, 99, 1, 0, 4096, 8192, false, true),
                new Message.Write(17, 99, 2, 1, 1L << 41, Integer.MAX_VALUE, true, false),
                new Message.WriteAck(17, 99, 2),
                new Message.Nack(17, 99, 3, 5),
                new Message.Flush(17, 99, 4, 1),
                new Message.FlushAck(17, 99, 4),
                new Message.HashRequest(17, 99, 5, 0, 65536, 1 << 20),
                new Message.HashReply(17, 99, 5, List.of(new ChunkHash(1, -2, 3, -4), ChunkHash.ZERO)),
                new Message.ResyncData(17, 99, 6, 0, 65536, 65536, false),
                new Message.ResyncData(17, 99, 7, 0, 131072, 65536, true),
                new Message.Seal(17, 99, -1),
                new Message.Sealed(17, 99, -1),
                new Message.Outdate(17, 99),
                new Message.Outdated(17, 99),
                new Message.HandedOver(18, 99, true),
                new Message.Goodbye(17, 99),
                new Message.Grow(17, 99, 1, 64L << 40),
                new Message.Grown(17, 99, 1, 64L << 40),
                new Message.NotGrown(17, 99, 0, 4096, "no room"),
                new Message.Read(17, 99, 12, 0, 4096, 32 << 20),
                new Message.ReadData(17, 99, 12, 512),
                new Message.ReadFailed(17, 99, 12, 5),
                new Message.Verify(17, 99, 13, 1, 1L << 20, 1 << 20),
                new Message.PieceRequest(17, 99, 13, 1, 7, 0xffff_0000_0000_0000L, 1L << 40),
                new Message.PieceReply(17, 99, 13, List.of(new PieceHash(-1, 2), PieceHash.ZERO)));
    }

    /** The payload that a message needs, seeded; null if it needs none. */
    static @Nullable ByteBuf payloadFor(Message message, long seed) {
        int length = switch (message) {
            case Message.Write write -> write.zero() ? 0 : write.length();
            case Message.ResyncData data -> data.zero() ? 0 : data.length();
            case Message.ReadData data -> data.length();
            default -> 0;
        };
        return length == 0 ? null : random(length, seed);
    }

    static ByteBuf random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return Unpooled.wrappedBuffer(bytes);
    }
}

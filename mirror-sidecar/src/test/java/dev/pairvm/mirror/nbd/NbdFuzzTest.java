package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Whole conversations made from a seed: options and requests of the right structure with wrong fields in them, then bytes flipped and
 * cut, in segments of any length, with a disk that answers when it likes. Whatever comes, the connection may answer or close; it may not
 * throw, hand the disk a request outside its rules, hold more than its bounds, or leak.
 */
@Timeout(120)
class NbdFuzzTest {
    private static final long FIRST_SEED = 20_261_124;
    private static final int SEEDS = 20_000;
    private static final long SIZE = 8 << 20;
    private static final NbdLimits LIMITS = ServerFixture.limits(4, 8, 1 << 20);

    private int agreed;
    private int served;

    /** Checks what the server promises of each request, and answers at once, later, with an error, or never. */
    private final class Checker implements NbdBackend {
        private final Random random;
        private final int block;
        private final List<NbdReply> held = new ArrayList<>();
        private int inFlight;
        private int most;

        Checker(Random random, int block) {
            this.random = random;
            this.block = block;
        }

        private void check(long offset, long length) {
            served++;
            most = Math.max(most, ++inFlight);
            if (offset < 0 || length <= 0 || offset > SIZE - length || offset % block != 0 || length % block != 0) {
                throw new AssertionError("the disk was asked for " + offset + "+" + length);
            }
        }

        private void answer(NbdReply reply) {
            switch (random.nextInt(6)) {
                case 0 -> held.add(reply);
                case 1 -> end(() -> reply.failed(NbdError.EIO));
                default -> end(reply::done);
            }
        }

        private void end(Runnable how) {
            inFlight--;
            how.run();
        }

        void finish(boolean abandon) {
            while (!held.isEmpty()) {
                NbdReply reply = held.remove(random.nextInt(held.size()));
                end(abandon ? reply::abandon : reply::done);
            }
        }

        @Override
        public void read(long offset, int length, ByteBuf target, NbdReply reply) {
            check(offset, length);
            target.writeZero(length);
            answer(reply);
        }

        @Override
        public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
            check(offset, payload.readableBytes());
            answer(reply);
        }

        @Override
        public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
            check(offset, length);
            answer(reply);
        }

        @Override
        public void trim(long offset, long length, boolean fua, NbdReply reply) {
            check(offset, length);
            answer(reply);
        }

        @Override
        public void flush(NbdReply reply) {
            check(0, block);
            answer(reply);
        }

        @Override
        public void cache(long offset, long length, NbdReply reply) {
            check(offset, length);
            answer(reply);
        }

        @Override
        public void blockStatus(long offset, long length, NbdExtentsReply reply) {
            check(offset, length);
            boolean more = true;
            while (more) {
                more = reply.extent(1 + random.nextInt(70_000), random.nextBoolean(), false);
            }
            answer(reply);
        }
    }

    /** Makes what a client sends. */
    private static final class Client {
        private static final long[] NUMBERS = {
            0,
            1,
            2,
            511,
            512,
            4095,
            4096,
            65_536,
            SIZE - 512,
            SIZE - 1,
            SIZE,
            SIZE + 1,
            32 << 20,
            (32 << 20) + 1,
            Integer.MAX_VALUE,
            0x8000_0000L,
            0xffff_ffffL,
            1L << 63,
            -1L,
            -512
        };
        private static final String[] TEXTS = {
            "root",
            "ro",
            "blocky",
            "",
            "nosuch",
            "base:allocation",
            "base:",
            "qemu:",
            "qemu:dirty-bitmap:b",
            "qemu:dirty-bitmap:",
            "pairvm:begin:b",
            "pairvm:begin:",
            "pairvm:begin:../x",
            "a".repeat(300),
            "\u00e9\u0000"
        };

        private final Random random;
        private final int honesty;
        private final ByteBuf out = Unpooled.buffer();

        Client(Random random) {
            this.random = random;
            // The more honest, the further a conversation gets before its lie.
            this.honesty = new int[] {12, 60, 400, 4000}[random.nextInt(4)];
        }

        ByteBuf conversation() {
            out.writeInt(odd() ? random.nextInt() : random.nextInt(4));
            if (random.nextInt(4) > 0) {
                option(8, Unpooled.EMPTY_BUFFER);
            }
            for (int i = random.nextInt(5); i > 0; i--) {
                anyOption();
            }
            if (random.nextInt(8) > 0) {
                option(7, info("root", 0));
            }
            for (int i = random.nextInt(20); i > 0; i--) {
                request();
            }
            if (random.nextInt(4) == 0) {
                for (int i = 1 + random.nextInt(3); i > 0; i--) {
                    out.setByte(random.nextInt(out.writerIndex()), random.nextInt());
                }
            }
            if (random.nextInt(6) == 0) {
                out.writerIndex(random.nextInt(out.writerIndex()));
            }
            return out;
        }

        private boolean odd() {
            return random.nextInt(honesty) == 0;
        }

        private String text() {
            return TEXTS[random.nextInt(TEXTS.length)];
        }

        private long number() {
            return NUMBERS[random.nextInt(NUMBERS.length)];
        }

        private void option(int option, ByteBuf data) {
            out.writeLong(odd() ? random.nextLong() : 0x49484156454F5054L);
            out.writeInt(option);
            out.writeInt(odd() ? (int) number() : data.readableBytes());
            out.writeBytes(data);
        }

        private void string(ByteBuf into, String value) {
            byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
            into.writeInt(odd() ? (int) number() : bytes.length).writeBytes(bytes);
        }

        private ByteBuf info(String name, int infos) {
            ByteBuf data = Unpooled.buffer();
            string(data, name);
            data.writeShort(odd() ? (int) number() : infos);
            for (int i = 0; i < infos; i++) {
                data.writeShort(random.nextInt(5));
            }
            return data;
        }

        private void anyOption() {
            switch (random.nextInt(7)) {
                case 0 -> option(random.nextInt(20) - 2, Unpooled.buffer().writeZero(random.nextInt(40)));
                case 1 -> option(3, Unpooled.EMPTY_BUFFER);
                case 2 -> option(6, info(text(), random.nextInt(4)));
                case 3 -> option(odd() ? 1 : 8, Unpooled.EMPTY_BUFFER);
                case 4 -> option(6, Unpooled.buffer().writeZero(random.nextInt(40_000)));
                default -> {
                    ByteBuf data = Unpooled.buffer();
                    string(data, random.nextInt(3) > 0 ? "root" : text());
                    int queries = random.nextInt(7);
                    data.writeInt(odd() ? (int) number() : queries);
                    for (int i = 0; i < queries; i++) {
                        string(data, random.nextBoolean() ? text() : "pairvm:begin:" + random.nextInt(9));
                    }
                    option(9 + random.nextInt(2), data);
                }
            }
        }

        private void request() {
            int command = odd() ? random.nextInt() : random.nextInt(9);
            if (command == 2 && random.nextInt(4) > 0) {
                command = 0;
            }
            boolean sane = random.nextInt(4) > 0;
            long length = sane ? 512L * (1 + random.nextInt(300)) : number();
            out.writeInt(odd() ? random.nextInt() : 0x25609513);
            out.writeShort(random.nextInt(3) == 0 ? random.nextInt(64) : 0);
            out.writeShort(command);
            out.writeLong(random.nextLong());
            out.writeLong(sane ? 512L * random.nextInt((int) (SIZE / 512)) : number());
            out.writeInt((int) length);
            if (command == 1) {
                out.writeZero((int) Math.min(length & 0xffff_ffffL, 200_000));
            }
        }
    }

    @Test
    void noConversationHarms() throws Exception {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            try {
                converse(new Random(seed));
            } catch (Throwable e) {
                fail("seed " + seed, e);
            }
        }
        assertThat(agreed).as("conversations that got past the handshake").isGreaterThan(SEEDS / 3);
        assertThat(served).as("requests that reached the disk").isGreaterThan(SEEDS);
    }

    private void converse(Random random) throws Exception {
        Checker loose = new Checker(random, 1);
        Checker strict = new Checker(random, 4096);
        ChangeBitmaps changes = new ChangeBitmaps(SIZE);
        NbdExports exports = new NbdExports(List.of(
                NbdExport.writable("root", SIZE, loose).tracking(changes),
                NbdExport.readOnly("ro", SIZE, loose).tracking(changes),
                new NbdExport("blocky", "", SIZE, 4096, false, strict)));
        UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(false, false);
        EmbeddedChannel channel = new EmbeddedChannel();
        channel.config().setAllocator(memory);
        int[] left = new int[1];
        NbdConnection connection = new NbdConnection(channel, exports, LIMITS, new OpenExports(), () -> left[0]++);
        channel.pipeline().addLast(connection);
        ChannelHandlerContext context = channel.pipeline().context(connection);
        connection.channelActive(context);
        ByteBuf sent = new Client(random).conversation();
        while (sent.isReadable() && channel.isActive()) {
            if (!channel.config().isAutoRead()) {
                loose.finish(false);
                strict.finish(false);
                channel.runPendingTasks();
                if (!channel.config().isAutoRead()) {
                    break; // closing
                }
            }
            ByteBuf into = connection.nextReceiveBuffer();
            int piece = random.nextInt(4) == 0 ? 1 + random.nextInt(40) : 1 + random.nextInt(100_000);
            int bytes = Math.min(Math.min(piece, into.writableBytes()), sent.readableBytes());
            assertThat(bytes).as("room for what the server reads").isPositive();
            into.writeBytes(sent, bytes);
            connection.channelRead(context, into);
            connection.channelReadComplete(context);
            channel.runPendingTasks();
            long held = memory.metric().usedDirectMemory();
            if (held > NbdConnection.INBOUND_BYTES + NbdLimits.MAX_REQUEST_BYTES + (4 << 20)) {
                drop(channel);
                assertThat(memory.metric().usedDirectMemory())
                        .as("held for one client")
                        .isLessThan(NbdConnection.INBOUND_BYTES + NbdLimits.MAX_REQUEST_BYTES + (4 << 20));
            }
            drop(channel);
        }
        assertThat(Math.max(loose.most, strict.most)).isLessThanOrEqualTo(LIMITS.maxInFlightRequests());
        if (!connection.isShakingHands()) {
            agreed++;
        }
        boolean goneFirst = random.nextBoolean();
        if (goneFirst) {
            channel.close();
            channel.runPendingTasks();
        }
        loose.finish(random.nextBoolean());
        strict.finish(random.nextBoolean());
        channel.runPendingTasks();
        drop(channel);
        channel.finishAndReleaseAll();
        assertThat(left[0]).as("times that the place was given back").isBetween(1, 2);
        assertThat(memory.metric().usedDirectMemory()).as("bytes leaked").isZero();
        channel.checkException();
    }

    private static void drop(EmbeddedChannel channel) {
        for (Object message = channel.readOutbound(); message != null; message = channel.readOutbound()) {
            ((ByteBuf) message).release();
        }
    }
}

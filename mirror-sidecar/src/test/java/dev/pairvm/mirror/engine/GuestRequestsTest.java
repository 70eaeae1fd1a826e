package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.junit.jupiter.api.Test;

class GuestRequestsTest {
    private static final NbdReply NOBODY = new NbdReply() {
        @Override
        public void done() {}

        @Override
        public void failed(NbdError failure) {}

        @Override
        public void abandon() {}
    };

    /** The server's reply begins with a head; the bytes that the peer sent once overwrote it. */
    @Test
    void whatThePeerReadComesBehindTheHeadOfTheReply() {
        GuestRequests requests = new GuestRequests();
        ByteBuf room = Unpooled.directBuffer(28 + 4, 28 + 4).writerIndex(28);
        long number = requests.open(NOBODY, room);
        room.writeInt(0xbad); // a local read that came back too late
        requests.fill(number, Unpooled.copyInt(0x600d));
        assertThat(room.writerIndex()).isEqualTo(32);
        assertThat(room.getInt(28)).isEqualTo(0x600d);
        requests.answer(number, 0);
        assertThatThrownBy(() -> requests.fill(number, Unpooled.copyInt(1))).isInstanceOf(IllegalStateException.class);
        assertThat(room.refCnt()).isEqualTo(1);
        room.release();
    }

    /** A device that answers after the peer did writes where nobody looks any more, and into memory that is still its own. */
    @Test
    void aLateLocalReadNeverReachesTheReply() {
        GuestRequests requests = new GuestRequests();
        ByteBuf first = Unpooled.directBuffer(28 + 4, 28 + 4).writerIndex(28);
        ByteBuf second = Unpooled.directBuffer(28 + 4, 28 + 4).writerIndex(28);
        long number = requests.open(
                new NbdReply() {
                    @Override
                    public void done() {
                        assertThat(second.getInt(28)).isEqualTo(0x600d);
                    }

                    @Override
                    public void failed(NbdError failure) {
                        throw new AssertionError(failure);
                    }

                    @Override
                    public void abandon() {}

                    @Override
                    public ByteBuf replaceTarget() {
                        first.release(); // the server's own reference
                        return second;
                    }
                },
                first);
        ByteBuf device = requests.payload(number).retain();

        requests.fillAnew(number, Unpooled.copyInt(0x600d));
        requests.answer(number, 0);

        assertThat(device.refCnt()).isEqualTo(1);
        device.writeInt(0xbad);
        device.release();
        assertThat(second.getInt(28)).isEqualTo(0x600d);
        assertThat(second.refCnt()).isEqualTo(1);
        second.release();
    }
}

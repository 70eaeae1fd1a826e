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
}

package dev.pairvm.mirror.network;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The one lease, and what strangers and nonsense get: nothing. */
class DhcpReplyTest {
    private final DhcpReply reply =
            new DhcpReply(TapGuest.MAC, List.of("10.96.0.10"), List.of("default.svc.cluster.local"), 1450, "orders");

    private static byte[] request(int type, int... wished) {
        byte[] packet = PodNetworkTest.discover();
        packet[242] = (byte) type;
        if (wished.length == 4) {
            packet[243] = 50;
            packet[244] = 4;
            for (int i = 0; i < 4; i++) {
                packet[245 + i] = (byte) wished[i];
            }
            packet[249] = (byte) 255;
        }
        return packet;
    }

    private byte[] answer(byte[] packet) {
        return reply.to(ByteBuffer.wrap(packet)).orElse(new byte[0]);
    }

    @Test
    void offersTheGuestItsAddress() {
        byte[] offer = answer(request(1));
        assertThat(Arrays.copyOfRange(offer, 16, 20)).containsExactly(10, 0, 2, 2);
        assertThat(offer[242]).isEqualTo((byte) 2);
        assertThat(Arrays.copyOfRange(offer, 4, 8)).containsExactly(0x12, 0x34, 0x56, 0x78);
        assertThat(new String(offer, StandardCharsets.ISO_8859_1)).contains("orders", "cluster");
    }

    @Test
    void acknowledgesItAndRefusesAnotherNetworksAddress() {
        assertThat(answer(request(3, 10, 0, 2, 2))[242]).isEqualTo((byte) 5);
        assertThat(answer(request(3, 192, 168, 0, 7))[242]).isEqualTo((byte) 6);
    }

    @Test
    void strangersGetNoAnswer() {
        byte[] packet = request(1);
        packet[30] ^= 1;
        assertThat(answer(packet)).isEmpty();
    }

    @Test
    void aServersOwnAnswerIsNotARequest() {
        byte[] packet = request(1);
        packet[0] = 2;
        assertThat(answer(packet)).isEmpty();
    }

    @Test
    void nonsenseNeitherThrowsNorIsAnswered() {
        byte[] whole = request(1);
        for (int length = 0; length < 243; length++) {
            assertThat(answer(Arrays.copyOf(whole, length))).isEmpty();
        }
        Random random = new Random(7);
        for (int i = 0; i < 2000; i++) {
            byte[] noise = request(1);
            for (int at = 240; at < noise.length; at++) {
                noise[at] = (byte) random.nextInt();
            }
            assertThat(answer(noise).length).isIn(0, 548);
        }
    }
}

package dev.pairvm.mirror.network;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/** A guest with just enough network for the tests: asks by ARP, and hears whether anything comes. */
final class TapGuest implements AutoCloseable {
    static final String MAC = "02:11:22:33:44:55";
    private static final byte[] MAC_BYTES = HexFormat.ofDelimiter(":").parseHex(MAC);
    private static final int ARP = 0x0806;

    private final PodNamespace.TapEnd tap;
    private final byte[] ip;

    TapGuest(PodNamespace.TapEnd tap, String ip) {
        this.tap = tap;
        this.ip = bytes(ip);
    }

    /** Whether this address answers within that time; asks again every 20 ms. */
    boolean reaches(String address, int millis) {
        long end = System.nanoTime() + millis * 1_000_000L;
        while (System.nanoTime() < end) {
            if (tap.send(arp(1, address)) && answered(address)) {
                return true;
            }
        }
        return false;
    }

    private boolean answered(String address) {
        byte[] frame = tap.receive(20);
        while (frame.length > 0) {
            ByteBuffer in = ByteBuffer.wrap(frame);
            if (frame.length >= 42
                    && in.getShort(12) == ARP
                    && in.getShort(20) == 2
                    && Arrays.equals(Arrays.copyOfRange(frame, 28, 32), bytes(address))) {
                return true;
            }
            frame = tap.receive(0);
        }
        return false;
    }

    /** Whether an ARP question for this guest's address arrives within that time. */
    boolean isAsked(int millis) {
        long end = System.nanoTime() + millis * 1_000_000L;
        while (System.nanoTime() < end) {
            byte[] frame = tap.receive(20);
            if (frame.length >= 42
                    && ByteBuffer.wrap(frame).getShort(12) == ARP
                    && Arrays.equals(Arrays.copyOfRange(frame, 38, 42), ip)) {
                return true;
            }
        }
        return false;
    }

    private byte[] arp(int operation, String target) {
        ByteBuffer out = ByteBuffer.allocate(60);
        out.put(HexFormat.of().parseHex("ffffffffffff")).put(MAC_BYTES).putShort((short) ARP);
        out.putShort((short) 1)
                .putShort((short) 0x0800)
                .put((byte) 6)
                .put((byte) 4)
                .putShort((short) operation);
        out.put(MAC_BYTES).put(ip).put(new byte[6]).put(bytes(target));
        return out.array();
    }

    /** Sends an IPv4 packet with UDP as a broadcast, as a DHCP client does. */
    void sendUdp(int from, int to, byte[] payload) {
        ByteBuffer out = ByteBuffer.allocate(14 + 28 + payload.length);
        out.put(HexFormat.of().parseHex("ffffffffffff")).put(MAC_BYTES).putShort((short) 0x0800);
        out.put((byte) 0x45)
                .put((byte) 0)
                .putShort((short) (28 + payload.length))
                .putInt(0);
        out.put((byte) 64).put((byte) 17).putShort((short) 0).putInt(0).putInt(0xffffffff);
        int sum = 0;
        for (int i = 14; i < 34; i += 2) {
            sum += out.getShort(i) & 0xffff;
        }
        out.putShort(24, (short) ~((sum & 0xffff) + (sum >> 16)));
        out.putShort((short) from)
                .putShort((short) to)
                .putShort((short) (8 + payload.length))
                .putShort((short) 0);
        out.put(payload);
        tap.send(out.array());
    }

    /** The next UDP packet's whole frame to this port; empty if none comes in time. */
    byte[] receiveUdp(int port, int millis) {
        long end = System.nanoTime() + millis * 1_000_000L;
        while (System.nanoTime() < end) {
            byte[] frame = tap.receive(20);
            ByteBuffer in = ByteBuffer.wrap(frame);
            if (frame.length > 42 && in.getShort(12) == 0x0800 && frame[23] == 17 && in.getShort(36) == port) {
                return frame;
            }
        }
        return new byte[0];
    }

    static byte[] bytes(String dotted) {
        ByteBuffer out = ByteBuffer.allocate(4);
        for (String part : dotted.split("\\.")) {
            out.put((byte) Integer.parseInt(part));
        }
        return out.array();
    }

    @Override
    public void close() {
        tap.close();
    }
}

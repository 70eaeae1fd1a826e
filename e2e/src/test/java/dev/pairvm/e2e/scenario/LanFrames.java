package dev.pairvm.e2e.scenario;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * Frames of a capture taken with {@code tcpdump -i any}-style cooked headers (SLL2), which name the switch port a frame came in
 * by: so that the two hosts of a machine can be told apart although both use the machine's hardware address.
 */
final class LanFrames {
    private static final int SLL2 = 276;
    private static final int ETHERNET = 1;

    /** A frame: when, from which port of the switch (0 if the capture does not say), from which hardware address. */
    record Frame(long micros, int port, String source) {}

    private final List<Frame> frames;

    private LanFrames(List<Frame> frames) {
        this.frames = List.copyOf(frames);
    }

    static LanFrames of(Path capture) throws IOException {
        List<Frame> frames = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(Files.newInputStream(capture))) {
            ByteBuffer header = ByteBuffer.wrap(in.readNBytes(24)).order(ByteOrder.LITTLE_ENDIAN);
            int linkType = header.getInt(20);
            while (true) {
                ByteBuffer record = ByteBuffer.wrap(in.readNBytes(16)).order(ByteOrder.LITTLE_ENDIAN);
                if (record.remaining() < 16) {
                    break;
                }
                byte[] bytes = in.readNBytes(record.getInt(8));
                long micros = Integer.toUnsignedLong(record.getInt(0)) * 1_000_000 + record.getInt(4);
                frames.add(frame(linkType, micros, bytes));
            }
        } catch (EOFException e) {
            throw new IOException("the capture " + capture + " is cut off", e);
        }
        return new LanFrames(frames);
    }

    private static Frame frame(int linkType, long micros, byte[] bytes) throws IOException {
        return switch (linkType) {
            case ETHERNET -> new Frame(micros, 0, mac(bytes, 6));
            case SLL2 -> new Frame(micros, ByteBuffer.wrap(bytes).getInt(4), mac(bytes, 12));
            default -> throw new IOException("capture has link type " + linkType + ", wanted Ethernet or SLL2");
        };
    }

    private static String mac(byte[] bytes, int at) {
        return HexFormat.ofDelimiter(":").formatHex(bytes, at, at + 6);
    }

    /** The switch ports on which frames of this hardware address came in, in the order of their first frame. */
    List<Integer> sendersOf(String mac) {
        return frames.stream()
                .filter(frame -> frame.source().equals(mac))
                .map(Frame::port)
                .distinct()
                .toList();
    }

    /** All frames of this hardware address. */
    List<Frame> from(String mac) {
        return frames.stream().filter(frame -> frame.source().equals(mac)).toList();
    }
}

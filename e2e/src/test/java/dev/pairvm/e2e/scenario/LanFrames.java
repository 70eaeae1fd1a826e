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
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Frames of a capture taken with {@code tcpdump -i any}-style cooked headers (SLL2), which name the switch port a frame came in
 * by: so that the two hosts of a machine can be told apart although both use the machine's hardware address.
 */
final class LanFrames {
    private static final int SLL2 = 276;
    private static final int ETHERNET = 1;
    private static final int IPV4 = 0x0800;
    private static final int ARP = 0x0806;
    /** SLL2's packet type of a frame that left the switch; all others came in. */
    private static final int OUTGOING = 4;

    /** The lab's switch ports of its nodes have these interface numbers, in the order of the nodes. */
    private static final int FIRST_NODE_PORT = 101;

    private static final int LAST_NODE_PORT = 110;

    /**
     * A frame: when, from which port of the switch (0 if the capture does not say), from which hardware and which IPv4
     * address (empty if it is none).
     */
    record Frame(long micros, int port, String source, String address) {
        boolean cameFromNode() {
            return port == 0 || port >= FIRST_NODE_PORT && port <= LAST_NODE_PORT;
        }
    }

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
                Frame frame = frame(linkType, micros, bytes);
                if (frame.cameFromNode()) {
                    frames.add(frame);
                }
            }
        } catch (EOFException e) {
            throw new IOException("the capture " + capture + " is cut off", e);
        }
        return new LanFrames(frames);
    }

    private static Frame frame(int linkType, long micros, byte[] bytes) throws IOException {
        return switch (linkType) {
            case ETHERNET -> new Frame(micros, 0, mac(bytes, 6), sender(bytes, 12, 14));
            case SLL2 ->
                new Frame(
                        micros,
                        bytes[10] == OUTGOING ? -1 : ByteBuffer.wrap(bytes).getInt(4),
                        mac(bytes, 12),
                        sender(bytes, 0, 20));
            default -> throw new IOException("capture has link type " + linkType + ", wanted Ethernet or SLL2");
        };
    }

    private static String mac(byte[] bytes, int at) {
        return HexFormat.ofDelimiter(":").formatHex(bytes, at, at + 6);
    }

    /** Who speaks by the frame's own contents: the source of an IPv4 packet, the sender of an ARP one. */
    private static String sender(byte[] bytes, int typeAt, int payloadAt) {
        int at = switch (ByteBuffer.wrap(bytes).getShort(typeAt) & 0xffff) {
            case IPV4 -> payloadAt + 12;
            case ARP -> payloadAt + 14;
            default -> bytes.length;
        };
        return at + 4 > bytes.length
                ? ""
                : (bytes[at] & 0xff) + "." + (bytes[at + 1] & 0xff) + "." + (bytes[at + 2] & 0xff) + "."
                        + (bytes[at + 3] & 0xff);
    }

    /** The IPv4 addresses in whose name this hardware address spoke; a probe for an address is in nobody's name. */
    Set<String> addressesOf(String mac) {
        return frames.stream()
                .filter(frame -> frame.source().equals(mac)
                        && !frame.address().isEmpty()
                        && !frame.address().equals("0.0.0.0"))
                .map(Frame::address)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The switch ports on which frames of this hardware address came in, in the order of their first frame. */
    List<Integer> sendersOf(String mac) {
        return frames.stream()
                .filter(frame -> frame.source().equals(mac))
                .map(Frame::port)
                .distinct()
                .toList();
    }

    /**
     * Frames of this hardware address that came from a node after another node had begun to send in its name. Never two that answer
     * means: none.
     */
    List<Frame> lateOf(String mac) {
        List<Frame> late = new ArrayList<>();
        List<Integer> seen = new ArrayList<>();
        for (Frame frame : frames) {
            if (!frame.source().equals(mac)) {
                continue;
            }
            if (!seen.contains(frame.port())) {
                seen.add(frame.port());
            } else if (frame.port() != seen.getLast()) {
                late.add(frame);
            }
        }
        return late;
    }

    /** Between the last frame of this hardware address from one node and its first from the next, in milliseconds, in order. */
    List<Long> silencesBetweenNodes(String mac) {
        List<Long> silences = new ArrayList<>();
        Frame before = null;
        for (Frame frame : frames) {
            if (!frame.source().equals(mac)) {
                continue;
            }
            if (before != null && before.port() != frame.port()) {
                silences.add((frame.micros() - before.micros()) / 1000);
            }
            before = frame;
        }
        return silences;
    }
}

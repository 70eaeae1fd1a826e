package dev.pairvm.mirror.network;

import java.nio.BufferOverflowException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Answers DHCP for the one guest of a masqueraded network (RFC 2131, options of RFC 2132). Pure.
 *
 * @param mac the guest's link address; nobody else is answered
 * @param nameServers IPv4 addresses, the pod's own
 * @param search search domains, the pod's own
 * @param mtu largest packet of the pod's interface
 * @param hostname given to the guest, empty where none is wished
 */
record DhcpReply(String mac, List<String> nameServers, List<String> search, int mtu, String hostname) {
    private static final int COOKIE = 0x63825363;
    private static final int FIXED_BYTES = 236;
    /** The smallest reply every client must accept. */
    private static final int REPLY_BYTES = 576 - 28;
    /** The address never changes; a lease of a day only makes clients ask again now and then. */
    private static final int LEASE_SECONDS = 86_400;

    private static final int DISCOVER = 1;
    private static final int OFFER = 2;
    private static final int REQUEST = 3;
    private static final int ACK = 5;
    private static final int NAK = 6;
    private static final int INFORM = 8;

    DhcpReply {
        nameServers = List.copyOf(nameServers);
        search = List.copyOf(search);
    }

    private record Asked(byte[] fixed, int type, byte[] wished, byte[] server) {}

    /** What to send for this request; empty where it is none, is malformed, or needs no answer. */
    Optional<byte[]> to(ByteBuffer packet) {
        Asked asked;
        try {
            asked = parse(packet);
        } catch (BufferUnderflowException cut) {
            return Optional.empty();
        }
        if (asked.type == 0 || !isGuest(asked.fixed)) {
            return Optional.empty();
        }
        boolean otherServer = asked.server.length == 4 && !Arrays.equals(asked.server, address(Masquerade.GATEWAY));
        return switch (asked.type) {
            case DISCOVER -> Optional.of(reply(asked, OFFER));
            case REQUEST -> otherServer ? Optional.empty() : Optional.of(reply(asked, wishesOther(asked) ? NAK : ACK));
            case INFORM -> Optional.of(reply(asked, ACK));
            default -> Optional.empty();
        };
    }

    /** A guest that moved here from another network asks for the address it had there. */
    private static boolean wishesOther(Asked asked) {
        byte[] current = Arrays.copyOfRange(asked.fixed, 12, 16);
        byte[] wished = asked.wished.length == 4 ? asked.wished : current;
        return !Arrays.equals(wished, address(Masquerade.GUEST));
    }

    private static Asked parse(ByteBuffer packet) {
        byte[] fixed = new byte[FIXED_BYTES];
        packet.get(fixed);
        int type = 0;
        byte[] wished = new byte[0];
        byte[] server = new byte[0];
        boolean ethernetRequest = fixed[0] == 1 && fixed[1] == 1 && fixed[2] == 6;
        if (!ethernetRequest || packet.getInt() != COOKIE) {
            return new Asked(fixed, 0, wished, server);
        }
        while (packet.hasRemaining()) {
            int option = packet.get() & 0xff;
            if (option == 255) {
                break;
            }
            if (option == 0) {
                continue;
            }
            byte[] value = new byte[packet.get() & 0xff];
            packet.get(value);
            switch (option) {
                case 50 -> wished = value;
                case 53 -> type = value.length == 1 ? value[0] : 0;
                case 54 -> server = value;
                default -> {
                    // what else a client says does not change the answer
                }
            }
        }
        return new Asked(fixed, type, wished, server);
    }

    private boolean isGuest(byte[] fixed) {
        return HexFormat.ofDelimiter(":").formatHex(fixed, 28, 34).equals(mac);
    }

    private byte[] reply(Asked asked, int type) {
        ByteBuffer out = ByteBuffer.allocate(REPLY_BYTES);
        byte[] fixed = new byte[FIXED_BYTES];
        fixed[0] = 2;
        fixed[1] = 1;
        fixed[2] = 6;
        System.arraycopy(asked.fixed, 4, fixed, 4, 4); // xid
        System.arraycopy(asked.fixed, 10, fixed, 10, 2); // flags
        if (asked.type == INFORM) {
            System.arraycopy(asked.fixed, 12, fixed, 12, 4);
        } else if (type != NAK) {
            System.arraycopy(address(Masquerade.GUEST), 0, fixed, 16, 4);
        }
        System.arraycopy(asked.fixed, 28, fixed, 28, 16); // chaddr
        out.put(fixed).putInt(COOKIE);
        option(out, 53, (byte) type);
        option(out, 54, address(Masquerade.GATEWAY));
        if (type != NAK) {
            if (asked.type != INFORM) {
                option(out, 51, ByteBuffer.allocate(4).putInt(LEASE_SECONDS).array());
            }
            option(out, 1, address("255.255.255.0"));
            option(out, 3, address(Masquerade.GATEWAY));
            option(out, 26, ByteBuffer.allocate(2).putShort((short) mtu).array());
            optional(out, 6, joined(nameServers));
            optional(out, 12, hostname.getBytes(StandardCharsets.US_ASCII));
            optional(out, 119, domains());
        }
        out.put((byte) 255);
        return out.array();
    }

    private static byte[] joined(List<String> addresses) {
        ByteBuffer all = ByteBuffer.allocate(4 * addresses.size());
        addresses.forEach(address -> all.put(address(address)));
        return all.array();
    }

    /** RFC 3397, without compression. */
    private byte[] domains() {
        ByteBuffer all = ByteBuffer.allocate(255);
        try {
            for (String domain : search) {
                for (String label : domain.split("\\.")) {
                    all.put((byte) label.length()).put(label.getBytes(StandardCharsets.US_ASCII));
                }
                all.put((byte) 0);
            }
        } catch (BufferOverflowException tooLong) {
            return new byte[0]; // half a list would be a wrong one
        }
        return Arrays.copyOf(all.array(), all.position());
    }

    private static void option(ByteBuffer out, int code, byte... value) {
        out.put((byte) code).put((byte) value.length).put(value);
    }

    /** What does not fit is left out; only the mask, the gateway and the lease are needed to talk. */
    private static void optional(ByteBuffer out, int code, byte[] value) {
        if (value.length > 0 && value.length <= 255 && out.remaining() > value.length + 3) {
            option(out, code, value);
        }
    }

    private static byte[] address(String dotted) {
        String[] parts = dotted.split("\\.");
        byte[] bytes = new byte[4];
        for (int i = 0; i < 4; i++) {
            bytes[i] = (byte) Integer.parseInt(parts[i]);
        }
        return bytes;
    }
}

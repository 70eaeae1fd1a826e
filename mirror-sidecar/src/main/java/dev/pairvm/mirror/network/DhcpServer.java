package dev.pairvm.mirror.network;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives the masqueraded guest its address. One thread, one packet at a time. */
final class DhcpServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DhcpServer.class);
    private static final int MAX_REQUEST_BYTES = 1500;

    private final DatagramSocket socket;

    /** Listens; packets come to this port and leave from it by the rules of {@link Masquerade}. */
    DhcpServer(DhcpReply reply) throws NetworkException {
        try {
            socket = new DatagramSocket(Masquerade.DHCP_PORT);
            socket.setBroadcast(true);
        } catch (IOException e) {
            throw new NetworkException("UDP port " + Masquerade.DHCP_PORT + " can not be had for the guest's DHCP", e);
        }
        Thread.ofPlatform().name("dhcp").daemon().start(() -> serve(reply));
    }

    private void serve(DhcpReply reply) {
        byte[] buffer = new byte[MAX_REQUEST_BYTES];
        while (!socket.isClosed()) {
            try {
                DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
                socket.receive(packet);
                Optional<byte[]> answer = reply.to(ByteBuffer.wrap(buffer, 0, packet.getLength()));
                if (answer.isPresent()) {
                    socket.send(new DatagramPacket(
                            answer.get(), answer.get().length, InetAddress.getByName("10.0.2.255"), 68));
                }
            } catch (IOException e) {
                if (!socket.isClosed()) {
                    // The client asks again; what it gets then does not depend on this.
                    LOG.warn("a DHCP request of the guest could not be answered", e);
                }
            }
        }
    }

    @Override
    public void close() {
        socket.close();
    }

    /** The pod's name servers (IPv4 only) or search domains, from its {@code resolv.conf}; none where it can not be read. */
    static List<String> resolver(Path resolvConf, String keyword) {
        List<String> found = new ArrayList<>();
        try {
            for (String line : Files.readAllLines(resolvConf)) {
                String[] words = line.strip().split("\\s+");
                for (int i = 1; words[0].equals(keyword) && i < words.length; i++) {
                    if (!keyword.equals("nameserver") || words[i].matches("(\\d{1,3}\\.){3}\\d{1,3}")) {
                        found.add(words[i]);
                    }
                }
            }
        } catch (IOException e) {
            LOG.warn("{} can not be read, the guest is told no {}", resolvConf, keyword);
        }
        return found;
    }
}

package dev.pairvm.e2e.hostile;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;

/** Connects to a mirror's link as somebody who is not its peer. */
public final class LinkIntruder {
    /** Port of the link, TCP for frames and UDP for beacons. */
    public static final int PORT = 7400;

    private static final Duration CONNECT = Duration.ofSeconds(5);
    /** Longer than any limit that the mirror has for strangers. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final InetAddress mirror;

    /** At this mirror. */
    public LinkIntruder(InetAddress mirror) {
        this.mirror = mirror;
    }

    /**
     * What came of it.
     *
     * @param greeted whether the mirror took the intruder for a member and greeted
     * @param reasons what the mirror's last frames say
     * @param end {@code closed}, {@code TLS: …} with the JDK's message, or {@code silent} when the mirror never closed
     */
    public record Outcome(boolean greeted, List<String> reasons, String end) {}

    /** Whether anything answers there; a cluster's network policy may keep strangers away altogether. */
    public static boolean isReachable(InetAddress host, int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, port), Math.toIntExact(CONNECT.toMillis()));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Sends bytes without TLS. */
    public Outcome plain(byte[] bytes) {
        try (Socket socket = connect()) {
            socket.getOutputStream().write(bytes);
            socket.getOutputStream().flush();
            return listen(socket);
        } catch (IOException e) {
            return new Outcome(false, List.of(), "closed");
        }
    }

    /** Opens so many connections, says nothing on any of them, and counts those that the mirror has not closed at the end. */
    public int crowd(int count) throws IOException {
        List<Socket> crowd = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                crowd.add(connect());
            }
            int left = 0;
            for (Socket each : crowd) {
                left += each.getInputStream() != null && listen(each).end().equals("silent") ? 1 : 0;
            }
            return left;
        } finally {
            for (Socket each : crowd) {
                each.close();
            }
        }
    }

    /** Speaks TLS in this version with these papers, and sends frames inside. */
    public Outcome tls(Optional<Papers> papers, String version, byte[] frames) {
        try (Socket socket = connect();
                SSLSocket tls = (SSLSocket) Papers.tls(papers)
                        .getSocketFactory()
                        .createSocket(socket, mirror.getHostAddress(), PORT, true)) {
            tls.setEnabledProtocols(new String[] {version});
            tls.setSoTimeout(Math.toIntExact(PATIENCE.toMillis()));
            tls.startHandshake();
            tls.getOutputStream().write(frames);
            tls.getOutputStream().flush();
            return listen(tls);
        } catch (SSLException e) {
            return new Outcome(false, List.of(), "TLS: " + e.getMessage());
        } catch (IOException e) {
            return new Outcome(false, List.of(), "closed");
        }
    }

    /** Throws datagrams at the port of the beacons. */
    public void datagrams(List<byte[]> datagrams) throws IOException {
        try (DatagramSocket socket = new DatagramSocket()) {
            for (byte[] each : datagrams) {
                socket.send(new DatagramPacket(each, each.length, mirror, PORT));
            }
        }
    }

    private Socket connect() throws IOException {
        Socket socket = new Socket();
        socket.connect(new InetSocketAddress(mirror, PORT), Math.toIntExact(CONNECT.toMillis()));
        socket.setSoTimeout(Math.toIntExact(PATIENCE.toMillis()));
        return socket;
    }

    private static Outcome listen(Socket socket) {
        ByteArrayOutputStream heard = new ByteArrayOutputStream();
        String end;
        try {
            socket.getInputStream().transferTo(heard);
            end = "closed";
        } catch (SocketTimeoutException e) {
            end = "silent";
        } catch (SSLException e) {
            end = "TLS: " + e.getMessage();
        } catch (IOException e) {
            end = "closed";
        }
        return outcome(ByteBuffer.wrap(heard.toByteArray()), end);
    }

    private static Outcome outcome(ByteBuffer heard, String end) {
        boolean greeted = false;
        List<String> reasons = new ArrayList<>();
        while (heard.remaining() >= LinkScript.HEADER_BYTES) {
            int start = heard.position();
            int type = heard.get(start + 2);
            int bodyBytes = heard.getInt(start + 4);
            int next = start + LinkScript.HEADER_BYTES + bodyBytes + heard.getInt(start + 8);
            if (bodyBytes < 0 || next > heard.limit() || next <= start) {
                break; // cut off by the end of the connection
            }
            greeted |= type == LinkScript.GREETING;
            if (type == LinkScript.BYE) {
                byte[] reason = new byte[heard.getShort(start + LinkScript.HEADER_BYTES)];
                heard.get(start + LinkScript.HEADER_BYTES + 2, reason);
                reasons.add(new String(reason, StandardCharsets.UTF_8));
            }
            heard.position(next);
        }
        return new Outcome(greeted, reasons, end);
    }
}

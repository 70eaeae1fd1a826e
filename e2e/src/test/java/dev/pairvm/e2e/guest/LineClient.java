package dev.pairvm.e2e.guest;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** One TCP connection to a line-based service of the guest. One thread at a time. */
public final class LineClient implements AutoCloseable {
    private final Socket socket = new Socket();
    private final BufferedReader in;

    /** Connects, or throws within the time limit. */
    public LineClient(String host, int port, Duration limit) throws IOException {
        socket.connect(new InetSocketAddress(host, port), Math.toIntExact(limit.toMillis()));
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(Math.toIntExact(limit.toMillis()));
        in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
    }

    /** The next line; throws {@link IOException} at the end of the stream or when nothing came within the limit. */
    public String readLine() throws IOException {
        String line = in.readLine();
        if (line == null) {
            throw new IOException("the guest closed the connection");
        }
        return line;
    }

    /** Sends one line. */
    public void send(String line) throws IOException {
        socket.getOutputStream().write((line + "\n").getBytes(StandardCharsets.US_ASCII));
        socket.getOutputStream().flush();
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

package dev.pairvm.mirror.link;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

/** A TCP path that can be cut as a network is: bytes stop, nobody is told. */
final class CutProxy implements AutoCloseable {
    private final ServerSocket server = new ServerSocket();
    private final int target;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final Semaphore open = new Semaphore(1, true);
    private volatile boolean cut;

    CutProxy(String host, int target) throws IOException {
        this.target = target;
        server.bind(new InetSocketAddress(InetAddress.getByName(host), 0));
        Thread.ofVirtual().start(this::accept);
    }

    PeerAddress address() {
        return new PeerAddress(server.getInetAddress().getHostAddress(), server.getLocalPort());
    }

    void cut() {
        open.acquireUninterruptibly();
        cut = true;
    }

    void heal() {
        cut = false;
        open.release();
    }

    boolean isCut() {
        return cut;
    }

    private void accept() {
        try {
            while (true) {
                Socket from = server.accept();
                Socket to = new Socket(InetAddress.getByName("127.0.0.1"), target);
                for (Socket each : new Socket[] {from, to}) {
                    each.setTcpNoDelay(true);
                    sockets.add(each);
                }
                Thread.ofVirtual().start(() -> pump(from, to));
                Thread.ofVirtual().start(() -> pump(to, from));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void pump(Socket from, Socket to) {
        byte[] buffer = new byte[64 << 10];
        try (from;
                to;
                InputStream in = from.getInputStream()) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                open.acquireUninterruptibly();
                open.release();
                to.getOutputStream().write(buffer, 0, n);
            }
            open.acquireUninterruptibly(); // a cut hides the end of the connection, too
            open.release();
        } catch (IOException e) {
            // the other direction has ended it
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : sockets) {
            socket.close();
        }
        if (cut) {
            heal();
        }
    }
}

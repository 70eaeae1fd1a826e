package dev.pairvm.mirror.link;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLServerSocket;

/** A TLS server of the JDK's on loopback, with a certificate for 127.0.0.1; one virtual thread per connection. */
public final class PlainTlsServer implements AutoCloseable {
    /** Serves one connection until it returns. */
    public interface Service {
        void serve(Socket socket) throws IOException;
    }

    private final TlsFiles files;
    private final SSLServerSocket server;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();

    /** Listens on a free port; key and certificates are written below {@code folder}. */
    public PlainTlsServer(Path folder, Service service) throws Exception {
        TestAuthority authority = new TestAuthority();
        files = authority.write(folder.resolve("server"), authority.named());
        server = (SSLServerSocket) PlainTls.context(files)
                .getServerSocketFactory()
                .createServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        Thread.ofVirtual().start(() -> accept(service));
    }

    private void accept(Service service) {
        try {
            while (true) {
                Socket socket = server.accept();
                sockets.add(socket);
                Thread.ofVirtual().start(() -> {
                    try (socket) {
                        service.serve(socket);
                    } catch (IOException e) {
                        // the client is gone
                    }
                });
            }
        } catch (IOException e) {
            // closed
        }
    }

    /** Where it listens. */
    public int port() {
        return server.getLocalPort();
    }

    /** What its certificate descends from. */
    public Path caFile() {
        return files.authority();
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }
}

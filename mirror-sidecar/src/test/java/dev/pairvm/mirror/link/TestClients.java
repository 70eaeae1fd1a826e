package dev.pairvm.mirror.link;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** TLS clients of the JDK's for tests of other packages. */
public final class TestClients {
    private TestClients() {}

    /** Shows the certificate and trusts the CA of these files. */
    public static SSLContext context(TlsFiles files) throws Exception {
        return PlainTls.context(files);
    }

    /** Shows no certificate, but trusts the CA of these files. */
    public static SSLContext trusting(TlsFiles files) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setCertificateEntry(
                "ca",
                CertificateFactory.getInstance("X.509")
                        .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(files.authority()))));
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    /** A connection on which a path was asked for and nothing is read. */
    public static SSLSocket openAndAsk(TlsFiles files, int port, String path) throws Exception {
        SSLSocket socket = (SSLSocket) context(files).getSocketFactory().createSocket();
        socket.setReceiveBufferSize(4096);
        socket.connect(new java.net.InetSocketAddress("127.0.0.1", port));
        socket.getOutputStream()
                .write(("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        socket.getOutputStream().flush();
        return socket;
    }
}

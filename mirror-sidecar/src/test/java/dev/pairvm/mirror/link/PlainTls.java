package dev.pairvm.mirror.link;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** A TLS client of the JDK's, which says what it is told to. */
final class PlainTls implements AutoCloseable {
    private final SSLSocket socket;

    PlainTls(int port, TlsFiles files) throws Exception {
        socket = (SSLSocket) context(files).getSocketFactory().createSocket("127.0.0.1", port);
        socket.setSoTimeout(10_000);
    }

    /** A context that shows the certificate and trusts the CA of these files. */
    static SSLContext context(TlsFiles files) throws Exception {
        CertificateFactory x509 = CertificateFactory.getInstance("X.509");
        Certificate own = x509.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(files.certificate())));
        String pem = Files.readString(files.key())
                .replaceAll("-----[A-Z ]+-----", "")
                .replaceAll("\\s", "");
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry(
                "own",
                KeyFactory.getInstance("EC")
                        .generatePrivate(
                                new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem))),
                new char[0],
                new Certificate[] {own});
        store.setCertificateEntry(
                "ca", x509.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(files.authority()))));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, new char[0]);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    void write(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
        socket.getOutputStream().flush();
    }

    byte[] frame(LinkFrame frame) {
        ByteBuf encoded = LinkFrameCodec.encode(UnpooledByteBufAllocator.DEFAULT, frame, null);
        try {
            return ByteBufUtil.getBytes(encoded);
        } finally {
            encoded.release();
        }
    }

    byte[] piece(int stream, int length) {
        ByteBuf payload = io.netty.buffer.Unpooled.buffer(length).writeZero(length);
        ByteBuf head =
                LinkFrameCodec.encode(UnpooledByteBufAllocator.DEFAULT, new LinkFrame.StreamData(stream), payload);
        ByteBuf both = io.netty.buffer.Unpooled.wrappedBuffer(head, payload);
        try {
            return ByteBufUtil.getBytes(both);
        } finally {
            both.release();
        }
    }

    /** Shakes hands and reads until something comes or the server ends it. */
    void handshakeAndRead() {
        try {
            socket.startHandshake();
            if (socket.getInputStream().read() < 0) {
                return;
            }
        } catch (IOException e) {
            return; // refused
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}

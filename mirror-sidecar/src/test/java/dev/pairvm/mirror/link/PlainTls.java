package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
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
import org.jspecify.annotations.Nullable;

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
        Certificate[] own = x509.generateCertificates(new ByteArrayInputStream(Files.readAllBytes(files.certificate())))
                .toArray(new Certificate[0]);
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
                own);
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

    /** The next frame's type; -1 when the other side has ended the connection. */
    int nextType() throws IOException {
        try {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] head = in.readNBytes(FrameHeader.BYTES);
            if (head.length < FrameHeader.BYTES) {
                return -1;
            }
            ByteBuffer fields = ByteBuffer.wrap(head);
            in.skipNBytes((long) fields.getInt(4) + fields.getInt(8));
            return head[2];
        } catch (IOException e) {
            return -1;
        }
    }

    byte[] frame(Message message, @Nullable ByteBuf payload) {
        ByteBuf head = MessageCodec.encode(UnpooledByteBufAllocator.DEFAULT, message, payload);
        ByteBuf whole = payload == null ? head : io.netty.buffer.Unpooled.wrappedBuffer(head, payload);
        try {
            return ByteBufUtil.getBytes(whole);
        } finally {
            whole.release();
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

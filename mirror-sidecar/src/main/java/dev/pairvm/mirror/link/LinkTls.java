package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TLS 1.3 of the link from the files of this moment: asked before each handshake, it reads them again when they have changed, so
 * that a renewed certificate is used from the next connection on. Material that can not be used leaves the old in place, with a
 * log line. BoringSSL where it loads, else the JDK.
 */
final class LinkTls {
    private static final Logger LOG = LoggerFactory.getLogger(LinkTls.class);
    private static final long CHECK_NANOS = 1_000_000_000L;

    private final TlsFiles files;
    private final String machineUid;
    private final CopyId self;
    private final SslProvider provider = OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK;
    private String stamp;
    private long checkedAt;
    private SslContext server;
    private SslContext client;

    LinkTls(TlsFiles files, String machineUid, CopyId self) throws LinkSetupException {
        this.files = files;
        this.machineUid = machineUid;
        this.self = self;
        try {
            stamp = files.stamp();
            Contexts first = load();
            server = first.server;
            client = first.client;
        } catch (IOException e) {
            throw new LinkSetupException("TLS file can not be read: " + e.getMessage(), e);
        }
        checkedAt = System.nanoTime();
        LOG.info("link uses TLS by {}", provider == SslProvider.JDK ? "the JDK" : OpenSsl.versionString());
    }

    SslContext server() {
        renewIfChanged();
        return server;
    }

    SslContext client() {
        renewIfChanged();
        return client;
    }

    private void renewIfChanged() {
        long now = System.nanoTime();
        if (now - checkedAt < CHECK_NANOS) {
            return;
        }
        checkedAt = now;
        try {
            String current = files.stamp();
            if (current.equals(stamp)) {
                return;
            }
            stamp = current;
            Contexts renewed = load();
            ReferenceCountUtil.release(server); // connections hold references of their own
            ReferenceCountUtil.release(client);
            server = renewed.server;
            client = renewed.client;
            LOG.info("link uses renewed TLS material for new connections");
        } catch (IOException | LinkSetupException e) {
            LOG.warn("renewed TLS material can not be used, the old stays: {}", e.getMessage());
        }
    }

    private record Contexts(SslContext server, SslContext client) {}

    private Contexts load() throws IOException, LinkSetupException {
        byte[] certificate = Files.readAllBytes(files.certificate());
        byte[] key = Files.readAllBytes(files.key());
        List<X509Certificate> authorities = certificates(Files.readAllBytes(files.authority()), "ca.crt");
        checkOwnName(certificates(certificate, "tls.crt").getFirst());
        try {
            var trust = PairTrustManager.of(authorities, machineUid, self);
            SslContext forServer = SslContextBuilder.forServer(
                            new ByteArrayInputStream(certificate), new ByteArrayInputStream(key))
                    .clientAuth(ClientAuth.REQUIRE)
                    .sslProvider(provider)
                    .protocols("TLSv1.3")
                    .trustManager(trust)
                    .build();
            SslContext forClient = SslContextBuilder.forClient()
                    .keyManager(new ByteArrayInputStream(certificate), new ByteArrayInputStream(key))
                    .sslProvider(provider)
                    .protocols("TLSv1.3")
                    .endpointIdentificationAlgorithm(null) // peers are known by certificate, see PairTrustManager
                    .trustManager(trust)
                    .build();
            return new Contexts(forServer, forClient);
        } catch (Exception e) {
            throw new LinkSetupException(
                    "TLS material can not be used (" + files + "; the key must be PKCS#8): " + e.getMessage(), e);
        }
    }

    private void checkOwnName(X509Certificate own) throws LinkSetupException {
        CertificateIdentity identity = CertificateIdentity.of(own);
        if (!identity.equals(new CertificateIdentity.OfCopy(machineUid, self))) {
            throw new LinkSetupException(files.certificate() + " must be of copy " + self + " of machine " + machineUid
                    + ", but is of " + identity);
        }
    }

    private static List<X509Certificate> certificates(byte[] pem, String name) throws LinkSetupException {
        try {
            List<X509Certificate> certificates = new ArrayList<>();
            for (var each :
                    CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(pem))) {
                certificates.add((X509Certificate) each);
            }
            if (certificates.isEmpty()) {
                throw new LinkSetupException(name + " holds no certificate");
            }
            return certificates;
        } catch (java.security.cert.CertificateException e) {
            throw new LinkSetupException(name + " holds no readable certificate: " + e.getMessage(), e);
        }
    }
}

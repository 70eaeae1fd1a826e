package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;

/** A CA that also signs what a real one would not. */
public final class TestAuthority {
    private final X509Bundle root;

    /** A fresh CA. */
    public TestAuthority() {
        try {
            root = new CertificateBuilder()
                    .ecp256()
                    .subject("CN=test CA")
                    .setIsCertificateAuthority(true)
                    .setKeyUsage(true, CertificateBuilder.KeyUsage.keyCertSign, CertificateBuilder.KeyUsage.cRLSign)
                    .buildSelfSigned();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** The CA's certificate. */
    public String certificatePem() {
        return root.getCertificatePEM();
    }

    /** A certificate of a copy, good for an hour. */
    public X509Bundle copy(String machineUid, String copy) {
        return named(CertificateIdentity.nameOf(machineUid, new CopyId(copy)));
    }

    /** The operator's. */
    public X509Bundle operator() {
        return named(CertificateIdentity.OPERATOR);
    }

    /** A certificate with these URI names, good for an hour. */
    public X509Bundle named(String... uris) {
        return validFrom(Instant.now().minus(Duration.ofMinutes(5)), Duration.ofHours(1), uris);
    }

    /** A certificate with these URI names and this validity. */
    public X509Bundle validFrom(Instant notBefore, Duration validity, String... uris) {
        try {
            CertificateBuilder builder = new CertificateBuilder()
                    .ecp256()
                    .subject("CN=test")
                    .notBefore(notBefore)
                    .notAfter(notBefore.plus(validity))
                    .addSanDnsName("localhost")
                    .addSanIpAddress("127.0.0.1")
                    .addExtendedKeyUsageServerAuth()
                    .addExtendedKeyUsageClientAuth();
            for (String uri : uris) {
                builder.addSanUriName(uri);
            }
            return builder.buildIssuedBy(root);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** A certificate with this name that nobody but itself has signed. */
    X509Bundle selfSigned(String uri) {
        try {
            return leaf(uri).setIsCertificateAuthority(true).buildSelfSigned();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** A certificate with this name that {@code signer} has signed although it may not. */
    X509Bundle signedBy(X509Bundle signer, String uri) {
        try {
            return leaf(uri).buildIssuedBy(signer);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static CertificateBuilder leaf(String uri) throws java.net.URISyntaxException {
        return new CertificateBuilder()
                .ecp256()
                .subject("CN=test")
                .notBefore(Instant.now().minus(Duration.ofMinutes(5)))
                .notAfter(Instant.now().plus(Duration.ofHours(1)))
                .addSanUriName(uri)
                .addExtendedKeyUsageServerAuth()
                .addExtendedKeyUsageClientAuth();
    }

    /** Writes the three files of a TLS Secret, replacing each at once as the kubelet does. */
    public TlsFiles write(Path folder, X509Bundle bundle) throws IOException {
        Files.createDirectories(folder);
        replace(folder.resolve("tls.key"), bundle.getPrivateKeyPEM());
        replace(folder.resolve("tls.crt"), bundle.getCertificatePathPEM());
        replace(folder.resolve("ca.crt"), certificatePem());
        return TlsFiles.in(folder);
    }

    private static void replace(Path file, String text) throws IOException {
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.writeString(fresh, text);
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}

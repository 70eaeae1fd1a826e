package dev.pairvm.e2e.hostile;

import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.Date;
import java.util.Optional;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * Signs certificates for whatever name: an authority that nobody trusts, or the installation's own, whose key a cluster's
 * administrator can read. The second is what a stolen or mis-issued certificate looks like.
 */
public final class ForgedAuthority {
    /** Where the operator keeps its authority. */
    private static final String SECRET = "pairvm-ca";

    private static final String SIGNATURE = "SHA256withECDSA";

    private final X509Certificate certificate;
    private final PrivateKey key;

    private ForgedAuthority(X509Certificate certificate, PrivateKey key) {
        this.certificate = certificate;
        this.key = key;
    }

    /** A new one, called as the installation's is. */
    public static ForgedAuthority unknown() throws GeneralSecurityException {
        KeyPair pair = newKey();
        X500Principal name = new X500Principal("CN=PairVM " + Instant.now().getEpochSecond());
        JcaX509v3CertificateBuilder builder = builder(name, name, pair);
        try {
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign));
            return new ForgedAuthority(sign(builder, pair.getPrivate()), pair.getPrivate());
        } catch (CertIOException e) {
            throw new GeneralSecurityException(e);
        }
    }

    /** The installation's. */
    public static ForgedAuthority ofInstallation(KubernetesClient client, String namespace)
            throws GeneralSecurityException {
        Secret secret = client.secrets().inNamespace(namespace).withName(SECRET).get();
        if (secret == null) {
            throw new IllegalStateException(
                    "no Secret " + SECRET + " in " + namespace + ": is the operator installed?");
        }
        return new ForgedAuthority(
                (X509Certificate) CertificateFactory.getInstance("X.509")
                        .generateCertificate(new ByteArrayInputStream(decoded(secret, "tls.crt"))),
                privateKey(decoded(secret, "tls.key")));
    }

    private static byte[] decoded(Secret secret, String key) {
        String value = secret.getData().get(key);
        if (value == null) {
            throw new IllegalStateException("Secret " + SECRET + " has no " + key);
        }
        return Base64.getDecoder().decode(value);
    }

    private static PrivateKey privateKey(byte[] pem) throws GeneralSecurityException {
        String lines = new String(pem, StandardCharsets.US_ASCII).replaceAll("-----[A-Z ]+-----", "");
        return KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(lines)));
    }

    /** A certificate that names its holder so, valid now for both ends of a connection; without a name if it is empty. */
    public Papers issue(Optional<String> uri) throws GeneralSecurityException {
        KeyPair pair = newKey();
        JcaX509v3CertificateBuilder builder =
                builder(certificate.getSubjectX500Principal(), new X500Principal("CN=PairVM member"), pair);
        addName(builder, uri);
        return new Papers(sign(builder, key), pair.getPrivate());
    }

    /** A certificate signed by its own key. */
    public static Papers selfSigned(String uri) throws GeneralSecurityException {
        KeyPair pair = newKey();
        X500Principal name = new X500Principal("CN=PairVM member");
        JcaX509v3CertificateBuilder builder = builder(name, name, pair);
        addName(builder, Optional.of(uri));
        return new Papers(sign(builder, pair.getPrivate()), pair.getPrivate());
    }

    private static void addName(JcaX509v3CertificateBuilder builder, Optional<String> uri)
            throws GeneralSecurityException {
        try {
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
            if (uri.isPresent()) {
                builder.addExtension(
                        Extension.subjectAlternativeName,
                        false,
                        new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, uri.get())));
            }
        } catch (CertIOException e) {
            throw new GeneralSecurityException(e);
        }
    }

    private static JcaX509v3CertificateBuilder builder(X500Principal issuer, X500Principal subject, KeyPair pair) {
        Instant now = Instant.now();
        return new JcaX509v3CertificateBuilder(
                issuer,
                BigInteger.valueOf(System.nanoTime()).abs(),
                Date.from(now.minus(10, ChronoUnit.MINUTES)),
                Date.from(now.plus(1, ChronoUnit.DAYS)),
                subject,
                pair.getPublic());
    }

    private static KeyPair newKey() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private static X509Certificate sign(JcaX509v3CertificateBuilder builder, PrivateKey key)
            throws GeneralSecurityException {
        try {
            return new JcaX509CertificateConverter()
                    .getCertificate(builder.build(new JcaContentSignerBuilder(SIGNATURE).build(key)));
        } catch (OperatorCreationException e) {
            throw new GeneralSecurityException(e);
        }
    }
}

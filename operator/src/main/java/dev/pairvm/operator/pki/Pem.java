package dev.pairvm.operator.pki;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Certificates and keys as text (RFC 7468). */
public final class Pem {
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, new byte[] {'\n'});
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]{1,20000})-----END PRIVATE KEY-----");

    private Pem() {}

    /** One certificate after the other. */
    public static String write(List<X509Certificate> certificates) {
        return certificates.stream().map(Pem::write).collect(Collectors.joining());
    }

    private static String write(X509Certificate certificate) {
        try {
            return block("CERTIFICATE", certificate.getEncoded());
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was parsed has an encoding", e);
        }
    }

    /** A private key, PKCS #8. */
    public static String write(PrivateKey key) {
        return block("PRIVATE KEY", key.getEncoded());
    }

    private static String block(String label, byte[] der) {
        return "-----BEGIN " + label + "-----\n" + LINES.encodeToString(der) + "\n-----END " + label + "-----\n";
    }

    /**
     * Reads all certificates of a text, at least one.
     *
     * @throws CertificateException if there is none, or one is damaged
     */
    public static List<X509Certificate> certificates(String text) throws CertificateException {
        List<X509Certificate> all = CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(text.getBytes(StandardCharsets.US_ASCII)))
                .stream()
                .map(X509Certificate.class::cast)
                .toList();
        if (all.isEmpty()) {
            throw new CertificateException("no certificate in it");
        }
        return all;
    }

    /**
     * Reads an elliptic-curve key.
     *
     * @throws GeneralSecurityException if there is none, or it is damaged
     */
    public static PrivateKey key(String text) throws GeneralSecurityException {
        Matcher matcher = KEY.matcher(text);
        if (!matcher.find()) {
            throw new GeneralSecurityException("no private key in it");
        }
        byte[] der = Base64.getMimeDecoder().decode(matcher.group(1));
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
    }
}

package dev.pairvm.operator.pki;

import dev.pairvm.api.mirror.CertificateIdentity;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The installation's authorities. Rotation has three steps, so that at no time a certificate is shown to somebody who does not trust its
 * signer yet: a {@code next} authority is first only trusted, later it signs, and the old one stays trusted until its end.
 *
 * @param current signs
 * @param next trusted everywhere, will sign when the overlap is over
 * @param retired trusted still
 */
public record Trust(Authority current, Optional<Authority> next, List<X509Certificate> retired) {
    /** Long enough for every Secret to be rewritten, every kubelet to bring it and every mirror to read it. */
    static final Duration OVERLAP = Duration.ofDays(1);

    /** Copies the list. */
    public Trust {
        retired = List.copyOf(retired);
    }

    /** A first authority. */
    public static Trust create(Instant now) {
        return new Trust(Authority.create(now), Optional.empty(), List.of());
    }

    /** What a verifier trusts: the text of {@code ca.crt}. */
    public String bundle() {
        return Pem.write(trusted());
    }

    /** The same as certificates. */
    public List<X509Certificate> trusted() {
        List<X509Certificate> all = new ArrayList<>(List.of(current.certificate()));
        next.ifPresent(authority -> all.add(authority.certificate()));
        all.addAll(retired);
        return all;
    }

    /** The next step of a rotation, if one is due; the same object if not. */
    public Trust step(Instant now) {
        List<X509Certificate> alive = retired.stream()
                .filter(certificate -> certificate.getNotAfter().toInstant().isAfter(now))
                .toList();
        if (next.isPresent()) {
            Instant since = next.get().certificate().getNotBefore().toInstant();
            if (since.plus(OVERLAP).isAfter(now)) {
                return alive.size() == retired.size() ? this : new Trust(current, next, alive);
            }
            List<X509Certificate> trusted = new ArrayList<>(alive);
            trusted.add(current.certificate());
            return new Trust(next.get(), Optional.empty(), trusted);
        }
        if (due(current.certificate(), now)) {
            return new Trust(current, Optional.of(Authority.create(now)), alive);
        }
        return alive.size() == retired.size() ? this : new Trust(current, next, alive);
    }

    /** Whether less than a third of the certificate's life is left. */
    public static boolean due(X509Certificate certificate, Instant now) {
        Instant from = certificate.getNotBefore().toInstant();
        Instant until = certificate.getNotAfter().toInstant();
        return Duration.between(now, until)
                        .compareTo(Duration.between(from, until).dividedBy(3))
                < 0;
    }

    /** Whether this Secret, as {@link #secretData} made it, must be made anew: for the identity, the bundle, its age or its signer. */
    public boolean due(Map<String, String> secret, String identity, Instant now) {
        try {
            X509Certificate certificate =
                    Pem.certificates(text(secret, "tls.crt")).getFirst();
            return due(certificate, now)
                    || !CertificateIdentity.of(certificate).equals(CertificateIdentity.parse(identity))
                    || !text(secret, "ca.crt").equals(bundle())
                    || !certificate
                            .getIssuerX500Principal()
                            .equals(current.certificate().getSubjectX500Principal());
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            return true;
        }
    }

    /** A new certificate for {@code identity} as data of a {@code kubernetes.io/tls} Secret. */
    public Map<String, String> secretData(String identity, Instant now) {
        Authority.Leaf leaf = current.issue(identity, now);
        Map<String, String> data = new LinkedHashMap<>();
        data.put("tls.crt", encode(Pem.write(List.of(leaf.certificate()))));
        data.put("tls.key", encode(Pem.write(leaf.key())));
        data.put("ca.crt", encode(bundle()));
        return data;
    }

    /** As data of the Secret that keeps it. */
    public Map<String, String> write() {
        Map<String, String> data = new LinkedHashMap<>();
        data.put("tls.crt", encode(Pem.write(List.of(current.certificate()))));
        data.put("tls.key", encode(Pem.write(current.key())));
        next.ifPresent(authority -> {
            data.put("next.crt", encode(Pem.write(List.of(authority.certificate()))));
            data.put("next.key", encode(Pem.write(authority.key())));
        });
        if (!retired.isEmpty()) {
            data.put("retired.crt", encode(Pem.write(retired)));
        }
        data.put("ca.crt", encode(bundle()));
        return data;
    }

    /**
     * Reads what {@link #write} wrote.
     *
     * @throws GeneralSecurityException naming the key of the Secret that is missing or damaged
     */
    public static Trust read(Map<String, String> data) throws GeneralSecurityException {
        Optional<Authority> next =
                data.containsKey("next.crt") ? Optional.of(authority(data, "next.crt", "next.key")) : Optional.empty();
        List<X509Certificate> retired =
                data.containsKey("retired.crt") ? Pem.certificates(text(data, "retired.crt")) : List.of();
        return new Trust(authority(data, "tls.crt", "tls.key"), next, retired);
    }

    private static Authority authority(Map<String, String> data, String certificate, String key)
            throws GeneralSecurityException {
        return new Authority(Pem.certificates(text(data, certificate)).getFirst(), Pem.key(text(data, key)));
    }

    private static String text(Map<String, String> data, String key) throws GeneralSecurityException {
        String value = data.get(key);
        if (value == null) {
            throw new GeneralSecurityException("key " + key + " is missing");
        }
        try {
            return new String(Base64.getDecoder().decode(value), StandardCharsets.US_ASCII);
        } catch (IllegalArgumentException e) {
            throw new GeneralSecurityException("key " + key + " is not base64", e);
        }
    }

    private static String encode(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.US_ASCII));
    }
}

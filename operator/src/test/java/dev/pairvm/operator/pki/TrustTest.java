package dev.pairvm.operator.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TrustTest {
    private static final Instant BIRTH = Instant.parse("2026-01-01T00:00:00Z");
    private static final String IDENTITY = "pairvm://uid/a";

    private static X509Certificate leaf(Map<String, String> secret) throws GeneralSecurityException {
        return Pem.certificates(
                        new String(Base64.getDecoder().decode(secret.get("tls.crt")), StandardCharsets.US_ASCII))
                .getFirst();
    }

    @Test
    void aCertificateNamesItsHolderAndIsSignedByTheAuthority() throws GeneralSecurityException {
        Trust trust = Trust.create(BIRTH);
        X509Certificate certificate = leaf(trust.secretData(IDENTITY, BIRTH));

        certificate.verify(trust.current().certificate().getPublicKey());
        assertThat(CertificateIdentity.of(certificate))
                .isEqualTo(new CertificateIdentity.OfCopy("uid", new CopyId("a")));
        assertThat(certificate.getBasicConstraints()).as("no authority").isEqualTo(-1);
    }

    @Test
    void isRenewedBeforeAThirdOfItsLifeIsLeftForAnotherNameAndForAnotherBundle() {
        Trust trust = Trust.create(BIRTH);
        Map<String, String> secret = trust.secretData(IDENTITY, BIRTH);

        assertThat(trust.due(secret, IDENTITY, BIRTH)).isFalse();
        assertThat(trust.due(secret, IDENTITY, BIRTH.plus(Duration.ofDays(59)))).isFalse();
        assertThat(trust.due(secret, IDENTITY, BIRTH.plus(Duration.ofDays(61)))).isTrue();
        assertThat(trust.due(secret, "pairvm://uid/b", BIRTH)).isTrue();
        assertThat(Trust.create(BIRTH).due(secret, IDENTITY, BIRTH)).isTrue();
        assertThat(trust.due(Map.of(), IDENTITY, BIRTH)).isTrue();
    }

    @Test
    void rotationTrustsFirstSignsLaterAndForgetsLast() {
        Trust first = Trust.create(BIRTH);
        Instant late = BIRTH.plus(Duration.ofDays(2500));
        assertThat(first.step(BIRTH)).isSameAs(first);

        Trust trusted = first.step(late);
        assertThat(trusted.current()).isEqualTo(first.current());
        assertThat(trusted.trusted()).hasSize(2);
        assertThat(trusted.step(late.plusSeconds(60))).isSameAs(trusted);

        Trust signing = trusted.step(late.plus(Trust.OVERLAP));
        assertThat(signing.current()).isEqualTo(trusted.next().orElseThrow());
        assertThat(signing.trusted()).contains(first.current().certificate());
        // Nobody's certificate was ever signed by somebody whom the others did not trust yet.
        assertThat(trusted.trusted()).contains(signing.current().certificate());

        assertThat(signing.step(BIRTH.plus(Duration.ofDays(3700))).retired()).isEmpty();
    }

    @Test
    void survivesTheSecretThatKeepsIt() throws GeneralSecurityException {
        Trust rotating = Trust.create(BIRTH).step(BIRTH.plus(Duration.ofDays(2500)));

        Trust read = Trust.read(rotating.write());

        assertThat(read.bundle()).isEqualTo(rotating.bundle());
        assertThat(read.current().key()).isEqualTo(rotating.current().key());
    }

    @Test
    void aDamagedSecretIsRefusedByTheNameOfItsKey() {
        Map<String, String> data = new LinkedHashMap<>(Trust.create(BIRTH).write());
        data.put("tls.key", "!!!");
        assertThatExceptionOfType(GeneralSecurityException.class)
                .isThrownBy(() -> Trust.read(data))
                .withMessageContaining("tls.key");
        data.remove("tls.key");
        assertThatExceptionOfType(GeneralSecurityException.class)
                .isThrownBy(() -> Trust.read(data))
                .withMessageContaining("tls.key");
    }
}

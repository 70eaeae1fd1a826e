package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names as they stand in certificates; the shapes of names are tested where they are read, in {@code crds}. */
class CertificateNameTest {
    private final TestAuthority authority = new TestAuthority();

    private CertificateIdentity of(String... uris) {
        return CertificateIdentity.of(authority.named(uris).getCertificate());
    }

    @Test
    void namesOfOursAreRead() {
        assertThat(of("pairvm://0a1b-2c/b")).isEqualTo(new CertificateIdentity.OfCopy("0a1b-2c", new CopyId("b")));
        assertThat(of("pairvm://operator")).isEqualTo(new CertificateIdentity.OfOperator());
        assertThat(of("spiffe://cluster/x", "pairvm://u/a"))
                .isEqualTo(new CertificateIdentity.OfCopy("u", new CopyId("a")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"pairvm://operator/a", "pairvm://u/A", "pairvm://u/a/b", "pairvm://u/a?x=1", "https://u/a"})
    void othersAreNobody(String uri) {
        assertThat(of(uri)).isInstanceOf(CertificateIdentity.Unknown.class);
    }

    @Test
    void twoNamesAreNobody() {
        assertThat(of("pairvm://u/a", "pairvm://operator")).isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(of()).isInstanceOf(CertificateIdentity.Unknown.class);
    }
}

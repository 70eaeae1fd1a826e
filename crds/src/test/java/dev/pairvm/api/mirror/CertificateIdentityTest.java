package dev.pairvm.api.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CertificateIdentityTest {
    private static final int DNS = 2;
    private static final int URI = 6;
    private static final CopyId B = new CopyId("b");

    private static CertificateIdentity ofUris(String... uris) {
        return CertificateIdentity.ofNames(
                Arrays.stream(uris).map(uri -> List.of(URI, uri)).toList());
    }

    @Test
    void whatIsWrittenIsReadBack() {
        String name = CertificateIdentity.nameOf("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", B);
        assertThat(CertificateIdentity.parse(name))
                .isEqualTo(new CertificateIdentity.OfCopy("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", B));
        assertThat(CertificateIdentity.parse(CertificateIdentity.OPERATOR))
                .isEqualTo(new CertificateIdentity.OfOperator());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "pairvm://",
                "pairvm:///",
                "pairvm:///a",
                "pairvm://u",
                "pairvm://u/",
                "pairvm://u/A",
                "pairvm://u/1",
                "pairvm://u/abcd",
                "pairvm://u/a/",
                "pairvm://u/a/b",
                "pairvm://u//a",
                "pairvm://u/../x/a",
                "pairvm://u/a?x=1",
                "pairvm://u/a#operator",
                "pairvm://u/%61",
                "pairvm://%75/a",
                "pairvm://x@u/a",
                "pairvm://u:7400/a",
                "pairvm://u.v/a",
                "pairvm://u_v/a",
                "pairvm://u/a\n",
                "pairvm://u/a\r\n",
                "pairvm://u/a\u0000",
                "pairvm://u\u0000/a",
                "pairvm://u/a ",
                " pairvm://u/a",
                "pairvm://u /a",
                "pairvm://\u0443/a",
                "pairvm://u/\u0430",
                "pairvm://u\u2215a/b",
                "pairvm://operator/",
                "pairvm://operator/a",
                "pairvm://operator\n",
                "pairvm://Operator",
                "pairvm://OPERATOR",
                "PAIRVM://operator",
                "PairVM://u/a",
                "pairvm:/u/a",
                "pairvm:u/a",
                "https://u/a"
            })
    void othersAreNobody(String uri) {
        assertThat(CertificateIdentity.parse(uri)).isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(ofUris(uri)).isInstanceOf(CertificateIdentity.Unknown.class);
    }

    @Test
    void lengthsAreBounded() {
        assertThat(CertificateIdentity.parse("pairvm://" + "u".repeat(64) + "/abc"))
                .isInstanceOf(CertificateIdentity.OfCopy.class);
        assertThat(CertificateIdentity.parse("pairvm://" + "u".repeat(65) + "/abc"))
                .isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(CertificateIdentity.parse("pairvm://" + "u".repeat(10_000_000) + "/a"))
                .isInstanceOf(CertificateIdentity.Unknown.class);
    }

    @Test
    void twoNamesAreNobodyInWhateverSpelling() {
        assertThat(ofUris("pairvm://u/a", "pairvm://operator")).isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(ofUris("pairvm://u/a", "pairvm://u/a")).isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(ofUris("pairvm://u/a", "PAIRVM://operator"))
                .as("a second name that somebody with another idea of case would read")
                .isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(ofUris("pairvm://u/a", "pairvm://")).isInstanceOf(CertificateIdentity.Unknown.class);
    }

    @Test
    void namesOfOthersBesideOursDoNotMatter() {
        assertThat(ofUris("spiffe://cluster/x", "pairvm://u/b", "https://u/a"))
                .isEqualTo(new CertificateIdentity.OfCopy("u", B));
        assertThat(CertificateIdentity.ofNames(List.of(List.of(DNS, "pairvm://u/b"))))
                .as("a host name is no identity")
                .isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(CertificateIdentity.ofNames(List.of(List.of(), List.of(URI), List.of(URI, new byte[4]))))
                .isInstanceOf(CertificateIdentity.Unknown.class);
        assertThat(CertificateIdentity.ofNames(List.of())).isInstanceOf(CertificateIdentity.Unknown.class);
    }

    @Test
    void aStrangersTextIsNotRepeated() {
        assertThat(ofUris("pairvm://\u001b[2Jevil/a").toString()).doesNotContain("evil");
    }

    /** Good names with characters changed, put in, taken out, doubled: what is read is exactly what would be written. */
    @Test
    void whateverIsReadWouldBeWrittenTheSame() {
        String alphabet = "pairvm:/operator-abzAZ09%?#@. \n\u0000\u00e9\u0430";
        for (long seed = 1; seed <= 200_000; seed++) {
            Random random = new Random(seed);
            StringBuilder name = new StringBuilder(random.nextBoolean() ? "pairvm://u-1/a" : "pairvm://operator");
            for (int edits = random.nextInt(4); edits >= 0; edits--) {
                int at = random.nextInt(name.length());
                char other = alphabet.charAt(random.nextInt(alphabet.length()));
                switch (random.nextInt(3)) {
                    case 0 -> name.setCharAt(at, other);
                    case 1 -> name.insert(at, other);
                    default -> name.deleteCharAt(at);
                }
            }
            String text = name.toString();
            List<String> same = new ArrayList<>();
            switch (CertificateIdentity.parse(text)) {
                case CertificateIdentity.OfCopy(String uid, CopyId copy) -> {
                    same.add(CertificateIdentity.nameOf(uid, copy));
                    assertThat(uid).as("seed %d", seed).isNotEqualTo("operator");
                }
                case CertificateIdentity.OfOperator() -> same.add(CertificateIdentity.OPERATOR);
                case CertificateIdentity.Unknown(String why) -> same.add(text);
            }
            if (!same.getFirst().equals(text)) {
                assertThat(same.getFirst()).as("seed %d", seed).isEqualTo(text);
            }
        }
    }
}

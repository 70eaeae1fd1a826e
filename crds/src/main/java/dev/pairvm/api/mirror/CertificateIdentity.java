package dev.pairvm.api.mirror;

import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Who a certificate speaks for, by its one URI subject alternative name: {@code pairvm://<machineUid>/<copy>} or {@code
 * pairvm://operator}. Says nothing about whether the certificate is to be trusted; that is the chain's. Mirrors and operator both
 * read names here and nowhere else: two readers that differ in one character would be two opinions on who may write a disk.
 */
public sealed interface CertificateIdentity {
    /** A copy's mirror. */
    record OfCopy(String machineUid, CopyId copy) implements CertificateIdentity {
        @Override
        public String toString() {
            return "copy " + copy + " of machine " + machineUid;
        }
    }

    /** The operator: may ask and order, but is no peer. */
    record OfOperator() implements CertificateIdentity {
        @Override
        public String toString() {
            return "the operator";
        }
    }

    /** Nobody we know; {@code why} is a clause for a sentence. Never repeats the name: it is a stranger's text. */
    record Unknown(String why) implements CertificateIdentity {
        @Override
        public String toString() {
            return "a stranger (" + why + ")";
        }
    }

    /** The scheme of our names. */
    String SCHEME = "pairvm://";
    /** The operator's name. */
    String OPERATOR = SCHEME + "operator";

    /** The name of a copy's certificate; {@link #parse} reads it back if {@code machineUid} is letters, digits and dashes. */
    static String nameOf(String machineUid, CopyId copy) {
        return SCHEME + machineUid + "/" + copy;
    }

    /** Reads the name; a certificate with no name of ours, or with two, is nobody's. */
    static CertificateIdentity of(X509Certificate certificate) {
        try {
            @Nullable Collection<List<?>> names = certificate.getSubjectAlternativeNames();
            return ofNames(names == null ? List.of() : names);
        } catch (CertificateParsingException e) {
            return new Unknown("its certificate's alternative names can not be read");
        }
    }

    /** The identity among subject alternative names, in the form of {@link X509Certificate#getSubjectAlternativeNames}. */
    static CertificateIdentity ofNames(Collection<? extends List<?>> names) {
        @Nullable String found = null;
        for (List<?> name : names) {
            if (name.size() >= 2
                    && Integer.valueOf(Names.URI).equals(name.get(0))
                    && name.get(1) instanceof String value
                    && value.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
                if (found != null) {
                    return new Unknown("its certificate names two identities");
                }
                found = value;
            }
        }
        return found == null ? new Unknown("its certificate has no " + SCHEME + " name") : parse(found);
    }

    /** Reads one name. Whoever is not named exactly as {@link #nameOf} and {@link #OPERATOR} write it is unknown. */
    static CertificateIdentity parse(String name) {
        if (name.equals(OPERATOR)) {
            return new OfOperator();
        }
        // The length first: a name is as long as its sender likes.
        if (name.length() <= Names.LONGEST) {
            Matcher copy = Names.COPY.matcher(name);
            if (copy.matches()) {
                return new OfCopy(copy.group(1), new CopyId(copy.group(2)));
            }
        }
        return new Unknown("its certificate's " + SCHEME + " name is malformed");
    }

    /** Shapes of names. */
    final class Names {
        /** Tag of uniformResourceIdentifier in a general name (RFC 5280 section 4.2.1.6). */
        private static final int URI = 6;

        private static final int LONGEST = 128;
        /** ASCII only and nothing to escape, so that equal names are equal bytes; {@code operator} is no machine. */
        private static final Pattern COPY = Pattern.compile("pairvm://(?!operator/)([A-Za-z0-9-]{1,64})/([a-z]{1,3})");

        private Names() {}
    }
}

package dev.pairvm.operator.runtime.pod;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.operator.pki.Authority;
import dev.pairvm.operator.pki.Trust;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * Shows the mirrors who the operator is. The certificate is made in this process and never stored; it is renewed when it gets old or the
 * authority changes, for connections made from then on. Thread-safe.
 */
final class OperatorIdentity extends X509ExtendedKeyManager {
    private static final String ALIAS = "operator";

    private final Supplier<Trust> trust;
    private final InstantSource clock;
    private Authority.@Nullable Leaf leaf;

    OperatorIdentity(Supplier<Trust> trust, InstantSource clock) {
        this.trust = trust;
        this.clock = clock;
    }

    private synchronized Authority.Leaf leaf() {
        Trust now = trust.get();
        Authority.Leaf known = leaf;
        if (known == null
                || Trust.due(known.certificate(), clock.instant())
                || !known.certificate()
                        .getIssuerX500Principal()
                        .equals(now.current().certificate().getSubjectX500Principal())) {
            known = now.current().issue(CertificateIdentity.OPERATOR, clock.instant());
            leaf = known;
        }
        return known;
    }

    @Override
    public String chooseEngineClientAlias(String[] keyTypes, Principal[] issuers, SSLEngine engine) {
        return ALIAS;
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
        return ALIAS;
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
        return new String[] {ALIAS};
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
        return new X509Certificate[] {leaf().certificate()};
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
        return leaf().key();
    }

    @Override
    public String @Nullable [] getServerAliases(String keyType, Principal[] issuers) {
        return null;
    }

    @Override
    public @Nullable String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
        return null;
    }
}

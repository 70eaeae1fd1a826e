package dev.pairvm.e2e.hostile;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.Optional;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * What an attacker shows: a certificate and its key.
 *
 * @param certificate shown also to a server that says it believes only others
 * @param key the certificate's
 */
public record Papers(X509Certificate certificate, PrivateKey key) {

    /** TLS as one with these papers, or with none, who believes every server. */
    public static SSLContext tls(Optional<Papers> papers) {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(
                    papers.map(shown -> new KeyManager[] {new Shameless(shown)}).orElse(new KeyManager[0]),
                    new TrustManager[] {new Credulous()},
                    new SecureRandom());
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has TLS", e);
        }
    }

    /** Shows its one certificate to everybody. */
    private static final class Shameless extends X509ExtendedKeyManager {
        private static final String ALIAS = "papers";
        private final Papers papers;

        Shameless(Papers papers) {
            this.papers = papers;
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
        public String @Nullable [] getServerAliases(String keyType, Principal[] issuers) {
            return null;
        }

        @Override
        public @Nullable String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
            return null;
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return new X509Certificate[] {papers.certificate()};
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return papers.key();
        }
    }

    /** Believes everybody, and never looks at names. */
    private static final class Credulous extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}

package dev.pairvm.operator.runtime.pod;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.operator.pki.Trust;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Whom the operator believes. Pods have no names in a certificate's sense; a mirror proves by the URI in its certificate that it is this
 * machine's and this copy's. Checked during the handshake, before anything is sent: pod addresses are used again, and an order must not
 * reach another machine's mirror. An endpoint that nobody expects is refused. Thread-safe.
 */
final class MirrorTrust extends X509ExtendedTrustManager {
    private final Supplier<Trust> trust;
    private final Map<String, String> expected = new ConcurrentHashMap<>();
    private List<X509Certificate> trusted = List.of();
    private @Nullable X509TrustManager chain;

    MirrorTrust(Supplier<Trust> trust) {
        this.trust = trust;
    }

    /** From now on the mirror at this address must be who the address says. */
    void expect(MirrorAddress address) {
        expected.put(address.endpoint(), address.identity());
    }

    /** Nobody is expected there any more. */
    void forget(MirrorAddress address) {
        expected.remove(address.endpoint(), address.identity());
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType, SSLEngine engine)
            throws CertificateException {
        String endpoint = engine.getPeerHost() + ":" + engine.getPeerPort();
        String identity = expected.get(endpoint);
        if (identity == null) {
            throw new CertificateException("no mirror is expected at " + endpoint);
        }
        chain().checkServerTrusted(certificates, authType);
        CertificateIdentity shown = CertificateIdentity.of(certificates[0]);
        // Only a copy's mirror may be met here: two names that can not be read must not pass for equal.
        if (!(shown instanceof CertificateIdentity.OfCopy) || !shown.equals(CertificateIdentity.parse(identity))) {
            throw new CertificateException("expected " + identity + " at " + endpoint + ", met " + shown);
        }
    }

    private synchronized X509TrustManager chain() throws CertificateException {
        List<X509Certificate> now = trust.get().trusted();
        X509TrustManager manager = chain;
        if (manager == null || !now.equals(trusted)) {
            manager = build(now);
            chain = manager;
            trusted = now;
        }
        return manager;
    }

    private static X509TrustManager build(List<X509Certificate> anchors) throws CertificateException {
        try {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            for (int i = 0; i < anchors.size(); i++) {
                store.setCertificateEntry("ca-" + i, anchors.get(i));
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(store);
            for (TrustManager manager : factory.getTrustManagers()) {
                if (manager instanceof X509TrustManager x509) {
                    return x509;
                }
            }
            throw new CertificateException("the JDK has no X.509 trust manager");
        } catch (GeneralSecurityException | IOException e) {
            throw new CertificateException("the authorities can not be used", e);
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType, Socket socket)
            throws CertificateException {
        throw new CertificateException("mirrors are only talked to through an SSLEngine");
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType) throws CertificateException {
        throw new CertificateException("mirrors are only talked to through an SSLEngine");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType) throws CertificateException {
        throw new CertificateException("the operator has no clients here");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType, Socket socket)
            throws CertificateException {
        checkClientTrusted(certificates, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType, SSLEngine engine)
            throws CertificateException {
        checkClientTrusted(certificates, authType);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return new X509Certificate[0];
    }
}

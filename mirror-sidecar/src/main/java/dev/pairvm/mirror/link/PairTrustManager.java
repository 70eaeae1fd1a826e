package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Collection;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;

/**
 * Trusts the mirrors of the same machine that are not this one: first the chain (to the machine's CA, valid now), then the name.
 * Host names play no part: peers are known by certificate, wherever they are.
 */
final class PairTrustManager extends X509ExtendedTrustManager {
    private final X509TrustManager chain;
    private final String machineUid;
    private final CopyId self;

    PairTrustManager(Collection<X509Certificate> authorities, String machineUid, CopyId self) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        int number = 0;
        for (X509Certificate authority : authorities) {
            store.setCertificateEntry("ca" + number++, authority);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        this.chain = (X509TrustManager) Arrays.stream(factory.getTrustManagers())
                .filter(X509TrustManager.class::isInstance)
                .findFirst()
                .orElseThrow();
        this.machineUid = machineUid;
        this.self = self;
    }

    static TrustManager of(Collection<X509Certificate> authorities, String machineUid, CopyId self) throws Exception {
        return new PairTrustManager(authorities, machineUid, self);
    }

    /** A good certificate of the wrong one. */
    static final class WrongIdentityException extends CertificateException {
        private static final long serialVersionUID = 1L;

        WrongIdentityException(String message) {
            super(message);
        }
    }

    private void checkName(X509Certificate[] certificates) throws WrongIdentityException {
        CertificateIdentity identity = CertificateIdentity.of(certificates[0]);
        boolean isPeer = identity instanceof CertificateIdentity.OfCopy(String uid, CopyId copy)
                && uid.equals(machineUid)
                && !copy.equals(self);
        if (!isPeer) {
            throw new WrongIdentityException("it is " + identity + ", not another copy of machine " + machineUid
                    + " (this is copy " + self + ")");
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType) throws CertificateException {
        chain.checkClientTrusted(certificates, authType);
        checkName(certificates);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType) throws CertificateException {
        chain.checkServerTrusted(certificates, authType);
        checkName(certificates);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType, Socket socket)
            throws CertificateException {
        checkClientTrusted(certificates, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType, Socket socket)
            throws CertificateException {
        checkServerTrusted(certificates, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType, SSLEngine engine)
            throws CertificateException {
        checkClientTrusted(certificates, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType, SSLEngine engine)
            throws CertificateException {
        checkServerTrusted(certificates, authType);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return chain.getAcceptedIssuers();
    }
}

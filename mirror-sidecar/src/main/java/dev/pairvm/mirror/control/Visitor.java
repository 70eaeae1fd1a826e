package dev.pairvm.mirror.control;

import dev.pairvm.api.mirror.CertificateIdentity;
import io.vertx.core.http.HttpServerRequest;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;

/** What the one who asks may do, by the certificate of its connection. */
enum Visitor {
    /** May read and order. */
    OPERATOR,
    /** A mirror of the same machine: may read. */
    SAME_MACHINE,
    /** Nothing. */
    STRANGER;

    boolean mayRead() {
        return this != STRANGER;
    }

    boolean mayOrder() {
        return this == OPERATOR;
    }

    static Visitor of(HttpServerRequest request, String machineUid) {
        return switch (identity(request)) {
            case CertificateIdentity.OfOperator() -> OPERATOR;
            case CertificateIdentity.OfCopy(String uid, var copy) -> uid.equals(machineUid) ? SAME_MACHINE : STRANGER;
            case CertificateIdentity.Unknown(var why) -> STRANGER;
        };
    }

    static CertificateIdentity identity(HttpServerRequest request) {
        try {
            var certificates = request.connection().peerCertificates();
            if (!certificates.isEmpty() && certificates.getFirst() instanceof X509Certificate certificate) {
                return CertificateIdentity.of(certificate);
            }
        } catch (SSLPeerUnverifiedException e) {
            return new CertificateIdentity.Unknown("it showed no certificate");
        }
        return new CertificateIdentity.Unknown("it showed no certificate");
    }
}

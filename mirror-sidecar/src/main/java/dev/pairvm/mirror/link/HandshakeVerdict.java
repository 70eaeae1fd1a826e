package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Locale;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * What an exception of a connection means.
 *
 * @param cause how the connection ended
 * @param refusal there if it was refused, here or there, rather than lost
 * @param why a clause for the log
 */
record HandshakeVerdict(Cause cause, LinkListener.@Nullable Refusal refusal, String why) {
    static HandshakeVerdict of(Throwable failure) {
        for (Throwable each = failure; each != null; each = each.getCause()) {
            if (each instanceof PairTrustManager.WrongIdentityException) {
                return refused(LinkListener.Refusal.IDENTITY, "wrong identity: " + each.getMessage());
            }
            if (each instanceof CertificateExpiredException) {
                return refused(LinkListener.Refusal.CERTIFICATE, "its certificate has expired: " + each.getMessage());
            }
            if (each instanceof CertificateNotYetValidException) {
                return refused(
                        LinkListener.Refusal.CERTIFICATE,
                        "its certificate is not valid yet (are the clocks right?): " + each.getMessage());
            }
        }
        for (Throwable each = failure; each != null; each = each.getCause()) {
            if (each instanceof CertificateException) {
                return refused(
                        LinkListener.Refusal.CERTIFICATE,
                        "its certificate does not descend from the machine's CA: " + each.getMessage());
            }
        }
        for (Throwable each = failure; each != null; each = each.getCause()) {
            String message = String.valueOf(each.getMessage()).toLowerCase(Locale.ROOT);
            if (each instanceof SSLException && message.contains("closed")) {
                return new HandshakeVerdict(Cause.CLOSED_BY_PEER, null, "the peer closed it during the handshake");
            }
            if (each instanceof SSLException && message.contains("timed out")) {
                return new HandshakeVerdict(Cause.LOST, LinkListener.Refusal.SILENT, describe(each));
            }
            if (each instanceof SSLException && message.contains("alert")) {
                return refused(
                        LinkListener.Refusal.CERTIFICATE,
                        "the peer does not take this mirror's certificate: " + describe(each));
            }
            if (each instanceof SSLException) {
                return refused(LinkListener.Refusal.CERTIFICATE, "TLS failed: " + describe(each));
            }
        }
        return ofNetwork(failure);
    }

    private static HandshakeVerdict refused(LinkListener.Refusal refusal, String why) {
        return new HandshakeVerdict(Cause.CLOSED_HERE, refusal, why);
    }

    /**
     * FIN and RST come from the peer's kernel, so its host lives; everything else is silence or an unreachable network. Native and
     * NIO exceptions differ in class but both carry strerror's text.
     */
    private static HandshakeVerdict ofNetwork(Throwable failure) {
        String message = String.valueOf(failure.getMessage()).toLowerCase(Locale.ROOT);
        boolean answered = failure instanceof ClosedChannelException
                || (failure instanceof ConnectException && !(failure instanceof NoRouteToHostException)
                        ? message.contains("refused")
                        : failure instanceof IOException
                                && (message.contains("reset") || message.contains("broken pipe")));
        return new HandshakeVerdict(answered ? Cause.CLOSED_BY_PEER : Cause.LOST, null, describe(failure));
    }

    private static String describe(Throwable failure) {
        String message = failure.getMessage();
        return message == null || message.isBlank() ? failure.getClass().getSimpleName() : message;
    }
}

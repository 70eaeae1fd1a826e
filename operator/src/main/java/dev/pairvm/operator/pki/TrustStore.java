package dev.pairvm.operator.pki;

import dev.pairvm.operator.desired.Labels;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the authorities in the Secret {@code pairvm-ca} of the operator's namespace. Used by the leader only; two that believe to lead
 * still can not make two: creation and replacement are checked by the API server. Thread-safe.
 */
public final class TrustStore {
    /** Name of the Secret. */
    public static final String SECRET = "pairvm-ca";

    private static final Logger LOG = LoggerFactory.getLogger(TrustStore.class);
    /** How long an answer is used before the Secret is read again; small against the overlap of a rotation. */
    private static final Duration FRESH = Duration.ofMinutes(10);

    private final KubernetesClient client;
    private final String namespace;
    private final InstantSource clock;
    private @Nullable Trust trust;
    private Instant readAt = Instant.MIN;

    /** For the operator's own namespace. */
    public TrustStore(KubernetesClient client, String namespace, InstantSource clock) {
        this.client = client;
        this.namespace = namespace;
        this.clock = clock;
    }

    /**
     * The authorities, created or rotated if that is due.
     *
     * @throws IllegalStateException if the Secret is damaged; it is never replaced by itself, for every mirror would have to be restarted
     */
    public synchronized Trust trust() {
        Instant now = clock.instant();
        Trust known = trust;
        if (known != null && readAt.plus(FRESH).isAfter(now)) {
            return known;
        }
        Trust loaded = load(now);
        trust = loaded;
        readAt = now;
        return loaded;
    }

    private Trust load(Instant now) {
        Secret secret = secret();
        if (secret == null) {
            Trust fresh = Trust.create(now);
            try {
                client.resource(build(fresh.write())).create();
                LOG.info("created the certificate authority");
                return fresh;
            } catch (KubernetesClientException e) {
                if (e.getCode() != HttpURLConnection.HTTP_CONFLICT) {
                    throw e;
                }
                secret = secret();
            }
        }
        if (secret == null) {
            throw new IllegalStateException("Secret " + SECRET + " was created and deleted by somebody else");
        }
        Trust stored = read(secret);
        Trust stepped = stored.step(now);
        if (stepped != stored) {
            // The resourceVersion makes this a compare-and-swap: another leader's rotation is not overwritten.
            client.resource(new SecretBuilder(secret).withData(stepped.write()).build())
                    .update();
            LOG.info("rotated the certificate authority");
        }
        return stepped;
    }

    private @Nullable Secret secret() {
        return client.secrets().inNamespace(namespace).withName(SECRET).get();
    }

    private Secret build(Map<String, String> data) {
        return new SecretBuilder()
                .withNewMetadata()
                .withName(SECRET)
                .withNamespace(namespace)
                .addToLabels(Labels.MANAGED_BY, Labels.OPERATOR)
                .endMetadata()
                .withType("Opaque")
                .withData(data)
                .build();
    }

    private static Trust read(Secret secret) {
        try {
            return Trust.read(secret.getData() == null ? Map.of() : secret.getData());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(
                    "Secret " + SECRET + " is damaged (" + e.getMessage()
                            + "); restore it, or delete it and restart all machines",
                    e);
        }
    }
}

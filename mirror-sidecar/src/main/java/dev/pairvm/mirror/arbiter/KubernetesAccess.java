package dev.pairvm.mirror.arbiter;

import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where the API server is and how a pod may talk to it.
 *
 * @param host name or address; the server's certificate must be valid for it
 * @param port its HTTPS port
 * @param tokenFile the projected service account token; re-read, for the kubelet replaces it
 * @param caFile PEM certificates that the server's certificate must descend from; re-read
 * @param namespace of the Lease
 */
public record KubernetesAccess(String host, int port, Path tokenFile, Path caFile, String namespace) {
    /** Where the kubelet mounts token, CA and namespace. */
    public static final Path MOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");

    /** Checks the port; throws {@link IllegalArgumentException} naming it. */
    public KubernetesAccess {
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException("port of the API server must be 1 to 65535, got " + port);
        }
    }

    /**
     * As every pod is told by its environment.
     *
     * @throws IllegalStateException naming the variable that is missing or no port: this process does not run in a pod
     */
    public static KubernetesAccess inCluster(Map<String, String> environment, String namespace) {
        String host = required(environment, "KUBERNETES_SERVICE_HOST");
        String port = required(environment, "KUBERNETES_SERVICE_PORT");
        try {
            return new KubernetesAccess(
                    host, Integer.parseInt(port), MOUNT.resolve("token"), MOUNT.resolve("ca.crt"), namespace);
        } catch (NumberFormatException e) {
            throw new IllegalStateException(
                    "environment variable KUBERNETES_SERVICE_PORT is no port: \"" + port + "\"", e);
        }
    }

    private static String required(Map<String, String> environment, String name) {
        @Nullable String value = environment.get(name);
        if (value == null || value.isBlank()) {
            throw new IllegalStateException("environment variable " + name
                    + " is missing: the mirror must run in a pod, or be given a file arbiter");
        }
        return value;
    }
}

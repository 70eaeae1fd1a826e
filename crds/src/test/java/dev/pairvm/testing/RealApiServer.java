package dev.pairvm.testing;

import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A real etcd and a real kube-apiserver on loopback, for tests: schema, CEL rules, defaults, server-side apply, optimistic
 * locking, watches and RBAC are those of a cluster. No controller runs: nothing collects orphans, binds claims, starts pods or
 * makes the ServiceAccount {@code default} (whose admission plug-in is off). Data lie in a temporary folder and go with the server.
 *
 * <p>Most tests want {@link #shared()}, one for the whole JVM, and a {@link #newNamespace namespace} of their own. Instances may
 * be used from any thread; clients that were given out are the caller's to close.
 */
public final class RealApiServer implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofSeconds(90);
    /** A port that was free may be taken before the server listens on it. */
    private static final int START_ATTEMPTS = 3;

    private static @Nullable RealApiServer shared;

    private final Path folder;
    private final String token = UUID.randomUUID().toString();
    private final List<Process> processes = new ArrayList<>();
    private final Thread stopAtExit = new Thread(this::stop, "stop-api-server");
    private int port;

    private RealApiServer(Path folder) {
        this.folder = folder;
    }

    /**
     * The server that all tests of this JVM share; started by the first that asks, stopped when the JVM ends.
     *
     * @throws IllegalStateException if a binary is missing, with the way to get it, or if it does not start, with its log
     */
    public static synchronized RealApiServer shared() {
        if (shared == null) {
            shared = start();
        }
        return shared;
    }

    /** A server of one's own, to be closed. Throws as {@link #shared()}. */
    public static RealApiServer start() {
        for (int attempt = 1; ; attempt++) {
            try {
                return startOnce();
            } catch (StartFailure e) {
                if (attempt == START_ATTEMPTS) {
                    throw new IllegalStateException(e.getMessage(), e);
                }
            }
        }
    }

    /** A client with every right. */
    public KubernetesClient client() {
        return client(config().build());
    }

    /**
     * A client that acts as somebody else, with that one's rights only.
     *
     * @param user {@code system:serviceaccount:NAMESPACE:NAME} for a ServiceAccount
     */
    public KubernetesClient clientAs(String user, String... groups) {
        return client(config().withImpersonateUsername(user)
                .withImpersonateGroups(groups)
                .build());
    }

    /** How an administrator reaches the server: URL, certificate authority, bearer token. */
    public ConfigBuilder config() {
        return new ConfigBuilder(Config.empty())
                .withMasterUrl("https://127.0.0.1:" + port)
                .withCaCertFile(folder.resolve("tls/apiserver.crt").toString())
                .withOauthToken(token)
                .withNamespace("default");
    }

    /** Makes a namespace that no other test uses, and tells its name. */
    public String newNamespace(KubernetesClient client, String prefix) {
        String name = prefix + "-" + UUID.randomUUID().toString().substring(0, 8);
        client.namespaces()
                .resource(new NamespaceBuilder()
                        .withNewMetadata()
                        .withName(name)
                        .endMetadata()
                        .build())
                .create();
        return name;
    }

    /** Stops both processes and removes their data. */
    @Override
    public void close() {
        stop();
        Runtime.getRuntime().removeShutdownHook(stopAtExit);
    }

    private static KubernetesClient client(Config config) {
        return new KubernetesClientBuilder().withConfig(config).build();
    }

    private static RealApiServer startOnce() throws StartFailure {
        Path etcd = KubeBinaries.find("etcd");
        Path apiServer = KubeBinaries.find("kube-apiserver");
        RealApiServer server;
        try {
            server = new RealApiServer(Files.createTempDirectory("pairvm-apiserver-"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Runtime.getRuntime().addShutdownHook(server.stopAtExit);
        try {
            server.startProcesses(etcd, apiServer);
            return server;
        } catch (IOException e) {
            server.close();
            throw new UncheckedIOException(e);
        } catch (StartFailure | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    private void startProcesses(Path etcd, Path apiServer) throws IOException, StartFailure {
        String etcdUrl = "http://127.0.0.1:" + freePort();
        String peerUrl = "http://127.0.0.1:" + freePort();
        port = freePort();
        writeCredentials();
        Process store = run(
                "etcd",
                etcd.toString(),
                "--data-dir=" + folder.resolve("etcd"),
                "--listen-client-urls=" + etcdUrl,
                "--advertise-client-urls=" + etcdUrl,
                "--listen-peer-urls=" + peerUrl,
                "--initial-advertise-peer-urls=" + peerUrl,
                "--initial-cluster=default=" + peerUrl,
                "--log-level=error",
                "--unsafe-no-fsync");
        Process api = run(
                "kube-apiserver",
                apiServer.toString(),
                "--etcd-servers=" + etcdUrl,
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--secure-port=" + port,
                "--cert-dir=" + folder.resolve("tls"),
                "--token-auth-file=" + folder.resolve("tokens.csv"),
                "--authorization-mode=RBAC",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-account-signing-key-file=" + folder.resolve("sa.key"),
                "--service-account-key-file=" + folder.resolve("sa.pub"),
                "--service-cluster-ip-range=10.96.0.0/16",
                "--endpoint-reconciler-type=none",
                "--disable-admission-plugins=ServiceAccount",
                "--allow-privileged=true",
                "--profiling=false");
        awaitReady(store, api);
    }

    private Process run(String name, String... command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(name + ".log").toFile())
                .start();
        synchronized (processes) {
            processes.add(process);
        }
        return process;
    }

    private void awaitReady(Process store, Process api) throws IOException, StartFailure {
        long end = System.nanoTime() + START_LIMIT.toNanos();
        while (System.nanoTime() < end) {
            try {
                if (api.waitFor(50, TimeUnit.MILLISECONDS)) {
                    throw new StartFailure(
                            "kube-apiserver ended with " + api.exitValue() + "\n" + tail("kube-apiserver"));
                }
                if (!store.isAlive()) {
                    throw new StartFailure("etcd ended with " + store.exitValue() + "\n" + tail("etcd"));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new StartFailure("interrupted while kube-apiserver started");
            }
            if (isReady()) {
                return;
            }
        }
        throw new StartFailure("kube-apiserver is not ready after " + START_LIMIT + "\n" + tail("kube-apiserver"));
    }

    private boolean isReady() {
        if (!Files.exists(folder.resolve("tls/apiserver.crt"))) {
            return false;
        }
        try (KubernetesClient client =
                client(config().withRequestRetryBackoffLimit(0).build())) {
            return "ok".equals(client.raw("/readyz"))
                    && client.namespaces().withName("default").get() != null;
        } catch (KubernetesClientException e) {
            return false;
        }
    }

    private String tail(String name) throws IOException {
        List<String> lines = Files.readAllLines(folder.resolve(name + ".log"));
        return String.join("\n", lines.subList(Math.max(0, lines.size() - 20), lines.size()));
    }

    private void writeCredentials() throws IOException {
        KeyPair signing;
        try {
            KeyPairGenerator keys = KeyPairGenerator.getInstance("RSA");
            keys.initialize(2048);
            signing = keys.generateKeyPair();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has RSA", e);
        }
        Files.writeString(
                folder.resolve("sa.key"),
                pem("PRIVATE KEY", signing.getPrivate().getEncoded()));
        Files.writeString(
                folder.resolve("sa.pub"), pem("PUBLIC KEY", signing.getPublic().getEncoded()));
        Files.writeString(folder.resolve("tokens.csv"), token + ",admin,admin,\"system:masters\"\n");
    }

    private static String pem(String kind, byte[] content) {
        String lines = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
        return "-----BEGIN " + kind + "-----\n" + lines + "\n-----END " + kind + "-----\n";
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private void stop() {
        synchronized (processes) {
            // The API server first, else it logs that its store is gone. Nothing of theirs is kept: no need to wait
            // politely.
            processes.reversed().forEach(Process::destroyForcibly);
            for (Process process : processes) {
                try {
                    process.waitFor(10, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            processes.clear();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(path -> path.toFile().delete());
        } catch (IOException | UncheckedIOException e) {
            // Gone already: stop was called twice.
            return;
        }
    }

    /** A start that may succeed when tried again. */
    private static final class StartFailure extends Exception {
        private static final long serialVersionUID = 1L;

        StartFailure(String message) {
            super(message);
        }
    }
}

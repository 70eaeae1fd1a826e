package dev.pairvm.e2e.cluster;

import io.fabric8.kubernetes.client.KubernetesClient;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A kind cluster: its nodes are containers, so a host is killed and frozen by the container engine and a network is cut by taking
 * the container off it. Written to kind's documented behaviour; never tried where this project is built, for there is no
 * container engine there.
 */
public final class KindCluster implements Cluster {
    private static final Duration QUICK = Duration.ofSeconds(60);

    private final String engine;
    private final ExistingCluster inner;

    /** Uses a kind cluster that is up; {@code engine} is {@code docker} or {@code podman}. */
    public KindCluster(String engine, String kubeconfig) {
        this.engine = engine;
        inner = new ExistingCluster(kubeconfig);
    }

    /** The docker network that carries a network of ours; kind itself makes the first. */
    private static String engineNetwork(Network network) {
        return switch (network) {
            case POD -> "kind";
            case LAN -> "pairvm-lan";
            case MIRROR -> "pairvm-mirror";
            case API, PEERS -> throw new UnsupportedByCluster("on kind, API and pod network are one cable");
        };
    }

    @Override
    public KubernetesClient client() {
        return inner.client();
    }

    @Override
    public List<String> nodes() {
        return inner.nodes();
    }

    @Override
    public InetAddress addressOfTests() {
        return inner.addressOfTests();
    }

    @Override
    public void killNode(String node) {
        Shell.run(QUICK, engine, "kill", "--signal", "KILL", node);
    }

    @Override
    public void startNode(String node) {
        startNodeAsync(node);
        client().nodes()
                .withName(node)
                .waitUntilReady(Duration.ofMinutes(2).toSeconds(), java.util.concurrent.TimeUnit.SECONDS);
    }

    @Override
    public void startNodeAsync(String node) {
        Shell.run(QUICK, engine, "start", node);
    }

    @Override
    public void cut(String node, Network network) {
        Shell.run(QUICK, engine, "network", "disconnect", engineNetwork(network), node);
    }

    @Override
    public void heal(String node, Network network) {
        Shell.run(QUICK, engine, "network", "connect", engineNetwork(network), node);
    }

    @Override
    public void freezeNode(String node) {
        Shell.run(QUICK, engine, "pause", node);
    }

    @Override
    public void thawNode(String node) {
        Shell.run(QUICK, engine, "unpause", node);
    }

    @Override
    public void stopApi() {
        Shell.run(QUICK, engine, "exec", "kind-control-plane", "pkill", "-STOP", "kube-apiserver");
    }

    @Override
    public void startApi() {
        Shell.run(QUICK, engine, "exec", "kind-control-plane", "pkill", "-CONT", "kube-apiserver");
    }

    @Override
    public int killProcess(String node, String commandLinePart) {
        return signal(node, "KILL", commandLinePart);
    }

    @Override
    public int stopProcess(String node, String commandLinePart) {
        return signal(node, "STOP", commandLinePart);
    }

    @Override
    public int continueProcess(String node, String commandLinePart) {
        return signal(node, "CONT", commandLinePart);
    }

    private int signal(String node, String signal, String commandLinePart) {
        String hit = Shell.run(
                QUICK,
                engine,
                "exec",
                node,
                "sh",
                "-c",
                "pkill -\"$1\" -c -f -- \"$2\" || true",
                "signal",
                signal,
                commandLinePart);
        return Integer.parseInt(hit.strip());
    }

    @Override
    public void failWrites(String node, String folder) {
        throw new UnsupportedByCluster("a disk that fails needs the lab");
    }

    @Override
    public void mendWrites(String node, String folder) {
        throw new UnsupportedByCluster("a disk that fails needs the lab");
    }

    @Override
    public long rot(String node, String folder) {
        throw new UnsupportedByCluster("changing bytes of a disk needs the lab");
    }

    @Override
    public Capture captureLan(Path file) {
        throw new UnsupportedByCluster("capturing the LAN needs the lab");
    }

    @Override
    public void close() {
        inner.close();
    }
}

package dev.pairvm.e2e.cluster;

import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.File;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The lab of {@code e2e/lab}: three real kubelets in namespaces of this machine. Every verb is a subcommand of its tool. */
public final class LabCluster implements Cluster {
    private static final Duration QUICK = Duration.ofSeconds(30);
    private static final Duration BOOT = Duration.ofSeconds(120);

    private final String tool;
    private final KubernetesClient client;

    /** Uses the lab that is up; {@code tool} is the path of the lab's command. */
    public LabCluster(String tool) {
        this.tool = tool;
        String kubeconfig = lab(QUICK, "kubeconfig").strip();
        client = new KubernetesClientBuilder()
                .withConfig(Config.fromKubeconfig(new File(kubeconfig)))
                .build();
    }

    private String lab(Duration limit, String... words) {
        String[] command = new String[words.length + 1];
        command[0] = tool;
        System.arraycopy(words, 0, command, 1, words.length);
        return Shell.run(limit, command);
    }

    @Override
    public KubernetesClient client() {
        return client;
    }

    @Override
    public List<String> nodes() {
        return client.nodes().list().getItems().stream()
                .map(node -> node.getMetadata().getName())
                .sorted()
                .toList();
    }

    @Override
    public InetAddress addressOfTests() {
        URI api = URI.create(client.getConfiguration().getMasterUrl());
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(api.getHost(), api.getPort()), Math.toIntExact(QUICK.toMillis()));
            return socket.getLocalAddress();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Override
    public void killNode(String node) {
        // The host is dead at once; taking its network and its groups away may take the kernel longer.
        lab(BOOT, "kill-node", node);
    }

    @Override
    public void startNode(String node) {
        startNodeAsync(node);
        client.nodes().withName(node).waitUntilCondition(LabCluster::ready, BOOT.toSeconds(), TimeUnit.SECONDS);
    }

    private static boolean ready(Node node) {
        return node != null
                && node.getStatus().getConditions().stream()
                        .anyMatch(c ->
                                c.getType().equals("Ready") && c.getStatus().equals("True"));
    }

    @Override
    public void startNodeAsync(String node) {
        lab(BOOT, "start-node", node);
    }

    @Override
    public void cut(String node, Network network) {
        lab(QUICK, "cut", node, network.word());
    }

    @Override
    public void heal(String node, Network network) {
        lab(QUICK, "heal", node, network.word());
    }

    @Override
    public void freezeNode(String node) {
        lab(QUICK, "freeze-node", node);
    }

    @Override
    public void thawNode(String node) {
        lab(QUICK, "thaw-node", node);
    }

    @Override
    public void stopApi() {
        lab(QUICK, "stop-api");
    }

    @Override
    public void startApi() {
        lab(BOOT, "start-api");
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
        String hit = lab(QUICK, "exec-node", node, "sh", "-c", SIGNAL, "signal", signal, commandLinePart);
        return Integer.parseInt(hit.strip());
    }

    /** Inside the node's pid namespace; passes over shells, for this script's own command line holds the word too. */
    private static final String SIGNAL = """
            n=0
            for d in /proc/[0-9]*; do
              c=$({ tr '\\0' ' ' < "$d/cmdline"; } 2>/dev/null) || continue
              case "$c" in
                "sh -c"*) ;;
                *"$2"*) kill -s "$1" "${d#/proc/}" 2>/dev/null && n=$((n+1)) ;;
              esac
            done
            echo $n""";

    @Override
    public void failWrites(String node, String folder) {
        chattr(node, folder, "+i");
    }

    @Override
    public void mendWrites(String node, String folder) {
        chattr(node, folder, "-i");
    }

    private void chattr(String node, String folder, String flag) {
        lab(QUICK, "exec-node", node, "sh", "-c", CHATTR, "chattr", folder, flag);
    }

    /** An immutable file of ext4 takes no write any more, not even by descriptors that are open (Linux 5.3). */
    private static final String CHATTR = """
            set -e
            [ -d "$1" ] || exit 0
            find "$1" -name disk.img -exec chattr "$2" {} +
            if [ "$2" = +i ]; then find "$1" -name disk.img | grep -q .; fi""";

    @Override
    public long rot(String node, String folder) {
        return Long.parseLong(
                lab(QUICK, "exec-node", node, "sh", "-c", ROT, "rot", folder).strip());
    }

    private static final String ROT = """
            set -e
            image=$(find "$1" -name disk.img | head -n 1)
            at=$(($(stat -c %s "$image") / 2 / 4096))
            printf 'these bytes were written by nobody' | dd of="$image" bs=4096 seek=$at conv=notrunc,fsync 2>/dev/null
            echo $((at * 4096))""";

    @Override
    public Capture captureLan(Path file) {
        return new ProcessCapture(new ProcessBuilder(tool, "capture-lan", file.toString()));
    }

    @Override
    public void close() {
        client.close();
    }
}

package dev.pairvm.e2e.cluster;

import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.File;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.List;

/**
 * A cluster given by a kubeconfig. Its hosts are somebody's: nothing is killed or cut here, so only scenarios that break nothing
 * run. {@code PAIRVM_TEST_ADDRESS} names an address of this process that pods can reach.
 */
public final class ExistingCluster implements Cluster {
    private final KubernetesClient client;

    /** Connects with this kubeconfig. */
    public ExistingCluster(String kubeconfig) {
        client = new KubernetesClientBuilder()
                .withConfig(Config.fromKubeconfig(new File(kubeconfig)))
                .build();
    }

    @Override
    public KubernetesClient client() {
        return client;
    }

    @Override
    public List<String> nodes() {
        return client.nodes().list().getItems().stream()
                .filter(ExistingCluster::takesPods)
                .map(node -> node.getMetadata().getName())
                .sorted()
                .toList();
    }

    private static boolean takesPods(Node node) {
        return node.getSpec().getTaints().stream()
                .noneMatch(taint -> taint.getEffect().equals("NoSchedule"));
    }

    @Override
    public InetAddress addressOfTests() {
        String address = System.getenv("PAIRVM_TEST_ADDRESS");
        if (address == null) {
            throw new UnsupportedByCluster("set PAIRVM_TEST_ADDRESS to an address of this machine that pods can reach");
        }
        try {
            return InetAddress.getByName(address);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("PAIRVM_TEST_ADDRESS is no address: " + address, e);
        }
    }

    private static UnsupportedByCluster refuse(String what) {
        return new UnsupportedByCluster(what + " is only done to hosts made for it: CLUSTER=lab or CLUSTER=kind");
    }

    @Override
    public void killNode(String node) {
        throw refuse("killing a host");
    }

    @Override
    public void startNode(String node) {
        throw refuse("starting a host");
    }

    @Override
    public void startNodeAsync(String node) {
        throw refuse("starting a host");
    }

    @Override
    public void cut(String node, Network network) {
        throw refuse("cutting a network");
    }

    @Override
    public void heal(String node, Network network) {
        throw refuse("cutting a network");
    }

    @Override
    public void freezeNode(String node) {
        throw refuse("freezing a host");
    }

    @Override
    public void thawNode(String node) {
        throw refuse("freezing a host");
    }

    @Override
    public void stopApi() {
        throw refuse("stopping the API server");
    }

    @Override
    public void startApi() {
        throw refuse("stopping the API server");
    }

    @Override
    public int killProcess(String node, String commandLinePart) {
        throw refuse("killing a process");
    }

    @Override
    public int stopProcess(String node, String commandLinePart) {
        throw refuse("stopping a process");
    }

    @Override
    public int continueProcess(String node, String commandLinePart) {
        throw refuse("stopping a process");
    }

    @Override
    public void failWrites(String node, String folder) {
        throw refuse("failing a disk");
    }

    @Override
    public void mendWrites(String node, String folder) {
        throw refuse("failing a disk");
    }

    @Override
    public long rot(String node, String folder) {
        throw refuse("changing bytes of a disk");
    }

    @Override
    public Capture captureLan(Path file) {
        throw refuse("capturing the LAN");
    }

    @Override
    public void close() {
        client.close();
    }
}

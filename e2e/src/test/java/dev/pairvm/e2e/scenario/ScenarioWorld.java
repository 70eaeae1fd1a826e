package dev.pairvm.e2e.scenario;

import dev.pairvm.e2e.cluster.Cluster;
import dev.pairvm.e2e.cluster.Cluster.Network;
import dev.pairvm.e2e.cluster.ExistingCluster;
import dev.pairvm.e2e.cluster.KindCluster;
import dev.pairvm.e2e.cluster.LabCluster;
import dev.pairvm.e2e.machine.DiskImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.Assumptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a scenario breaks, it breaks through this, so that everything is whole again when it ends, however it ends. Chosen by system
 * properties: {@code pairvm.cluster} (lab, kind, existing), {@code pairvm.lab} (the lab's tool), {@code pairvm.guest.image}.
 */
final class ScenarioWorld implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ScenarioWorld.class);

    /** Processes of a machine on a node. */
    enum Processes {
        /** The mirror. */
        MIRROR("dev.pairvm.mirror.MirrorMain"),
        /** The guest's QEMU. */
        QEMU("qemu-system-");

        private final String commandLinePart;

        Processes(String commandLinePart) {
            this.commandLinePart = commandLinePart;
        }

        String commandLinePart() {
            return commandLinePart;
        }
    }

    private final Cluster cluster;
    private final Deque<Runnable> repairs = new ArrayDeque<>();
    private final DiskImage image;

    ScenarioWorld() throws IOException {
        cluster = connect();
        image = new DiskImage(Path.of(required("pairvm.guest.image")), cluster.addressOfTests());
    }

    private static Cluster connect() {
        String kind = System.getProperty("pairvm.cluster", "lab");
        return switch (kind) {
            case "lab" -> new LabCluster(required("pairvm.lab"));
            case "kind" ->
                new KindCluster(System.getProperty("pairvm.engine", "docker"), required("pairvm.kubeconfig"));
            case "existing" -> new ExistingCluster(required("pairvm.kubeconfig"));
            default -> throw new IllegalArgumentException("CLUSTER must be lab, kind or existing, got " + kind);
        };
    }

    private static String required(String property) {
        String value = System.getProperty(property);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException("system property " + property + " is missing: run scenarios by `make e2e`");
        }
        return value;
    }

    Cluster cluster() {
        return cluster;
    }

    DiskImage image() {
        return image;
    }

    void killNode(String node) {
        owed(() -> cluster.startNode(node));
        attempt(() -> cluster.killNode(node));
    }

    void startNode(String node) {
        attempt(() -> cluster.startNode(node));
    }

    void cut(String node, Network network) {
        owed(() -> cluster.heal(node, network));
        attempt(() -> cluster.cut(node, network));
    }

    void heal(String node, Network network) {
        attempt(() -> cluster.heal(node, network));
    }

    void freezeNode(String node) {
        owed(() -> cluster.thawNode(node));
        attempt(() -> cluster.freezeNode(node));
    }

    void thawNode(String node) {
        attempt(() -> cluster.thawNode(node));
    }

    /** SIGKILL to the processes of this kind on the node; returns how many there were. */
    int kill(String node, Processes which) {
        int[] hit = new int[1];
        attempt(() -> hit[0] = cluster.killProcess(node, which.commandLinePart()));
        return hit[0];
    }

    /** SIGSTOP to them. */
    int stop(String node, Processes which) {
        int[] hit = new int[1];
        owed(() -> cluster.continueProcess(node, which.commandLinePart()));
        attempt(() -> hit[0] = cluster.stopProcess(node, which.commandLinePart()));
        return hit[0];
    }

    /** Lets them go on. */
    void resume(String node, Processes which) {
        attempt(() -> cluster.continueProcess(node, which.commandLinePart()));
    }

    void failWrites(String node, String folder) {
        owed(() -> cluster.mendWrites(node, folder));
        attempt(() -> cluster.failWrites(node, folder));
    }

    void mendWrites(String node, String folder) {
        attempt(() -> cluster.mendWrites(node, folder));
    }

    long rot(String node, String folder) {
        long[] at = new long[1];
        attempt(() -> at[0] = cluster.rot(node, folder));
        return at[0];
    }

    void stopApi() {
        owed(cluster::startApi);
        attempt(cluster::stopApi);
    }

    void startApi() {
        attempt(cluster::startApi);
    }

    /** Remembers how to undo; undoing twice is harmless by the seam's contract. */
    private void owed(Runnable repair) {
        repairs.push(repair);
    }

    private static void attempt(Runnable act) {
        try {
            act.run();
        } catch (Cluster.UnsupportedByCluster e) {
            Assumptions.abort(e.toString());
        }
    }

    /** Undoes everything that was broken, last first; a repair that fails does not stop the others. */
    void repair() {
        while (!repairs.isEmpty()) {
            try {
                repairs.pop().run();
            } catch (RuntimeException e) {
                LOG.error("a repair failed; `make lab-down` cleans all of it", e);
            }
        }
    }

    @Override
    public void close() {
        repair();
        image.close();
        cluster.close();
    }
}

package dev.pairvm.e2e.cluster;

import io.fabric8.kubernetes.client.KubernetesClient;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;

/**
 * A Kubernetes cluster whose hosts can be broken. Scenarios speak to this and to nothing of the cluster's making, so that they
 * run unchanged on the lab, on kind and on a cluster given by a kubeconfig. What a provider can not do (pull a cable of somebody's
 * real host) throws {@link UnsupportedByCluster}, which skips the scenario and says so.
 *
 * <p>All calls block until the world is as asked. Not thread-safe for calls on the same node.
 */
public interface Cluster extends AutoCloseable {
    /** A network that can be cut per node. */
    enum Network {
        /** Between nodes and pods, the API server included; carries the second path of the mirrors. */
        POD,
        /** The pod network between this node and the other nodes only; the API server stays in reach. */
        PEERS,
        /** The flat layer-2 network of the guests. */
        LAN,
        /** The storage network between the mirrors. */
        MIRROR,
        /** Between a node, with its pods, and the API server. */
        API;

        /** As the lab's command line names it. */
        public String word() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** A client with all rights. */
    KubernetesClient client();

    /** Names of the worker nodes, at least three. */
    List<String> nodes();

    /** An address of the test process that pods can reach, for serving disk images. */
    InetAddress addressOfTests();

    /** SIGKILL to every process of the host at once; its disks stay. */
    void killNode(String node);

    /** Boots a killed host again and waits until it is Ready. */
    void startNode(String node);

    /** Starts a killed host without waiting for it. */
    void startNodeAsync(String node);

    /** Drops everything between the node and the rest on this network; links stay up. */
    void cut(String node, Network network);

    /** Undoes {@link #cut}. */
    void heal(String node, Network network);

    /** Stops every process of the host (SIGSTOP by the freezer); thaw goes on. */
    void freezeNode(String node);

    /** Undoes {@link #freezeNode}. */
    void thawNode(String node);

    /** Ends the API server; running pods go on. */
    void stopApi();

    /** Starts the API server again and waits until it answers. */
    void startApi();

    /** SIGKILL to one process of a container, found by a substring of its command line; returns how many were hit. */
    int killProcess(String node, String commandLinePart);

    /** SIGSTOP to processes found as {@link #killProcess} finds them; returns how many were hit. */
    int stopProcess(String node, String commandLinePart);

    /** Undoes {@link #stopProcess}, as far as they still live. */
    int continueProcess(String node, String commandLinePart);

    /**
     * From now every write to the disk images in this folder of the node fails, also by who has them open; reads go on. Twice is
     * harmless.
     */
    void failWrites(String node, String folder);

    /** Undoes {@link #failWrites}, as far as the folder is still there. */
    void mendWrites(String node, String folder);

    /**
     * Changes a few bytes in the middle of the disk image in this folder of the node, behind the back of who has it open.
     *
     * @return where, in bytes
     */
    long rot(String node, String folder);

    /** Records every frame on the LAN until closed. */
    Capture captureLan(Path file);

    @Override
    void close();

    /** A running packet capture. */
    interface Capture extends AutoCloseable {
        /** Ends the capture; the file is complete after it. */
        @Override
        void close();
    }

    /** This provider can not do that; the scenario is skipped, never passed. */
    final class UnsupportedByCluster extends RuntimeException {
        private static final long serialVersionUID = 1L;

        /** Says what can not be done, and where it can. */
        public UnsupportedByCluster(String what) {
            super(what);
        }
    }
}

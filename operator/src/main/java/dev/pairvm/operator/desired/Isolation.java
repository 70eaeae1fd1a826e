package dev.pairvm.operator.desired;

import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyBuilder;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRuleBuilder;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeerBuilder;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Who may talk to a machine's pods on the pod network: the link is for its own pods, the control port for the operator; health,
 * metrics and the guest's ports are for everybody. Mutual TLS guards link and control besides; this keeps strangers from trying.
 */
public final class Isolation {
    private Isolation() {}

    /** The NetworkPolicy of a machine. */
    public static NetworkPolicy policy(Machine machine, Installation installation) {
        List<NetworkPolicyIngressRule> rules = new ArrayList<>();
        rules.add(rule(List.of(ownPods(machine)), List.of(port("TCP", Ports.LINK), port("UDP", Ports.LINK))));
        rules.add(rule(List.of(operator(installation)), List.of(port("TCP", Ports.CONTROL))));
        rules.add(rule(List.of(), List.of(port("TCP", Ports.HEALTH))));
        List<NetworkPolicyPort> guest = guestPorts(machine);
        if (!guest.isEmpty()) {
            rules.add(rule(List.of(), guest));
        }
        return new NetworkPolicyBuilder()
                .withMetadata(machine.owned(machine.leaseName(), machine.labels()))
                .withNewSpec()
                .withNewPodSelector()
                .withMatchLabels(Map.of(Labels.MACHINE, machine.name()))
                .endPodSelector()
                .withPolicyTypes("Ingress")
                .withIngress(rules)
                .endSpec()
                .build();
    }

    private static List<NetworkPolicyPort> guestPorts(Machine machine) {
        Networking networking = new Networking(machine);
        if (!networking.guestTakesEveryPort()) {
            return networking.servicePorts().stream()
                    .map(port -> port(port.protocol().name(), port.port()))
                    .toList();
        }
        List<NetworkPolicyPort> ports = new ArrayList<>();
        for (String protocol : List.of("TCP", "UDP")) {
            ports.add(range(protocol, 1, Ports.LINK - 1));
            ports.add(range(protocol, Ports.LINK + 1, Ports.CONTROL - 1));
            ports.add(range(protocol, Ports.CONTROL + 1, 65535));
        }
        return ports;
    }

    private static NetworkPolicyIngressRule rule(List<NetworkPolicyPeer> from, List<NetworkPolicyPort> ports) {
        return new NetworkPolicyIngressRuleBuilder()
                .withFrom(from)
                .withPorts(ports)
                .build();
    }

    private static NetworkPolicyPeer ownPods(Machine machine) {
        return new NetworkPolicyPeerBuilder()
                .withNewPodSelector()
                .withMatchLabels(Map.of(Labels.MACHINE, machine.name()))
                .endPodSelector()
                .build();
    }

    private static NetworkPolicyPeer operator(Installation installation) {
        return new NetworkPolicyPeerBuilder()
                .withNewNamespaceSelector()
                .withMatchLabels(Map.of("kubernetes.io/metadata.name", installation.namespace()))
                .endNamespaceSelector()
                .withNewPodSelector()
                .withMatchLabels(Map.of("app.kubernetes.io/name", installation.operatorAppName()))
                .endPodSelector()
                .build();
    }

    private static NetworkPolicyPort port(String protocol, int number) {
        return new NetworkPolicyPort(null, new IntOrString(number), protocol);
    }

    private static NetworkPolicyPort range(String protocol, int first, int last) {
        return new NetworkPolicyPort(last, new IntOrString(first), protocol);
    }
}

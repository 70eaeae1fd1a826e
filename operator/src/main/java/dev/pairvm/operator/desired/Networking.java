package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.v1alpha1.Devices;
import dev.pairvm.api.v1alpha1.Network;
import dev.pairvm.api.v1alpha1.TemplateSpec;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Which networks a pod joins and under which interface names. Multus gives {@code net1}, {@code net2}, … in the order of its
 * annotation: the template's networks first, the mirror network last.
 */
public final class Networking {
    /** The annotation that Multus reads. */
    public static final String MULTUS = "k8s.v1.cni.cncf.io/networks";

    private static final String POD_INTERFACE = "eth0";

    private final Machine machine;

    /** For this machine; its template must have passed validation. */
    public Networking(Machine machine) {
        this.machine = machine;
    }

    private TemplateSpec template() {
        return machine.spec().template().spec();
    }

    /** Value of the Multus annotation; empty where the pod network is enough. */
    public Optional<String> multusAnnotation() {
        List<String> names = new ArrayList<>(multusNetworks().values());
        mirrorNetwork().ifPresent(names::add);
        return names.isEmpty() ? Optional.empty() : Optional.of(String.join(",", names));
    }

    /** The interfaces that the mirrors announce to each other: the mirror network's first, then the pod network's. */
    public List<String> linkInterfaces() {
        List<String> interfaces = new ArrayList<>();
        if (mirrorNetwork().isPresent()) {
            interfaces.add("net" + (multusNetworks().size() + 1));
        }
        interfaces.add(POD_INTERFACE);
        return interfaces;
    }

    /** The guest's network cards, for the mirror. */
    public List<MirrorConfig.Interface> guestInterfaces() {
        List<String> multus = new ArrayList<>(multusNetworks().keySet());
        return template().domain().devices().interfaces().stream()
                .map(card -> {
                    int position = multus.indexOf(card.name());
                    return new MirrorConfig.Interface(
                            card.name(),
                            mac(card),
                            card.masquerade() != null ? MirrorConfig.Binding.MASQUERADE : MirrorConfig.Binding.BRIDGE,
                            position < 0 ? POD_INTERFACE : "net" + (position + 1),
                            card.ports().stream()
                                    .map(port -> new MirrorConfig.Port(
                                            port.protocol().name(), port.port()))
                                    .toList());
                })
                .toList();
    }

    /** Ports that a Service named after the machine offers: those of masquerade interfaces. */
    public List<Devices.Port> servicePorts() {
        return template().domain().devices().interfaces().stream()
                .filter(card -> card.masquerade() != null)
                .flatMap(card -> card.ports().stream())
                .toList();
    }

    /** Whether traffic for any port of the pod's own address may be the guest's. */
    boolean guestTakesEveryPort() {
        return guestInterfaces().stream()
                .filter(card -> card.podInterface().equals(POD_INTERFACE))
                .anyMatch(card -> card.binding() == MirrorConfig.Binding.BRIDGE
                        || card.ports().isEmpty());
    }

    private Optional<String> mirrorNetwork() {
        return Optional.ofNullable(machine.spec().placement().mirrorNetwork());
    }

    /** Interface name to network name, of the interfaces on Multus networks, in the order of the interfaces. */
    private Map<String, String> multusNetworks() {
        Map<String, String> networks = new LinkedHashMap<>();
        for (Devices.Interface card : template().domain().devices().interfaces()) {
            Network network = template().network(card.name());
            Network.Multus multus = network == null ? null : network.multus();
            if (multus != null) {
                networks.put(card.name(), multus.networkName());
            }
        }
        return networks;
    }

    private String mac(Devices.Interface card) {
        String given = card.macAddress();
        return given != null
                ? given.replace('-', ':').toLowerCase(Locale.ROOT)
                : derivedMac(machine.uid(), card.name());
    }

    /**
     * A locally administered unicast address ({@code 02:…}, IEEE 802 section 8.2) that depends on nothing but the machine and the
     * card's name, so that both hosts and every later pod give the guest the same one.
     */
    static String derivedMac(String machineUid, String card) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256")
                    .digest((machineUid + "/" + card).getBytes(StandardCharsets.UTF_8));
            return "02:" + HexFormat.ofDelimiter(":").formatHex(hash, 0, 5);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}

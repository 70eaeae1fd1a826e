package dev.pairvm.operator.desired;

import dev.pairvm.api.v1alpha1.Devices;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.ServicePortBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointPort;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointPortBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The stable name of a machine behind address translation: a Service without a selector, whose EndpointSlice follows the arbiter's
 * active. Never pod readiness: a standby can look ready.
 */
public final class Exposure {
    private static final String SERVICE_NAME = "kubernetes.io/service-name";
    private static final String SLICE_MANAGER = "endpointslice.kubernetes.io/managed-by";

    private Exposure() {}

    /** The Service {@code <vm>}; empty where no masquerade interface names a port. */
    public static Optional<Service> service(Machine machine) {
        List<Devices.Port> ports = new Networking(machine).servicePorts();
        if (ports.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new ServiceBuilder()
                .withMetadata(machine.owned(machine.name(), machine.labels()))
                .withNewSpec()
                .withPorts(ports.stream().map(Exposure::servicePort).toList())
                .endSpec()
                .build());
    }

    /**
     * Where the Service leads.
     *
     * @param activeAddress pod IP of the active; empty while that is not known: then nothing is reachable
     */
    public static Optional<EndpointSlice> endpoints(Machine machine, Optional<String> activeAddress) {
        List<Devices.Port> ports = new Networking(machine).servicePorts();
        if (ports.isEmpty()) {
            return Optional.empty();
        }
        EndpointSliceBuilder slice = new EndpointSliceBuilder()
                .withMetadata(machine.owned(machine.name() + "-active", machine.labels()))
                .editMetadata()
                .addToLabels(SERVICE_NAME, machine.name())
                .addToLabels(SLICE_MANAGER, Labels.OPERATOR)
                .endMetadata()
                .withAddressType(activeAddress.filter(ip -> ip.contains(":")).isPresent() ? "IPv6" : "IPv4")
                .withPorts(ports.stream().map(Exposure::endpointPort).toList());
        activeAddress.ifPresent(ip -> slice.addNewEndpoint()
                .withAddresses(ip)
                .withNewConditions()
                .withReady(true)
                .endConditions()
                .endEndpoint());
        return Optional.of(slice.build());
    }

    private static String name(Devices.Port port) {
        String given = port.name();
        return given != null ? given : port.protocol().name().toLowerCase(Locale.ROOT) + "-" + port.port();
    }

    private static ServicePort servicePort(Devices.Port port) {
        return new ServicePortBuilder()
                .withName(name(port))
                .withProtocol(port.protocol().name())
                .withPort(port.port())
                .withTargetPort(new IntOrString(port.port()))
                .build();
    }

    private static EndpointPort endpointPort(Devices.Port port) {
        return new EndpointPortBuilder()
                .withName(name(port))
                .withProtocol(port.protocol().name())
                .withPort(port.port())
                .build();
    }
}

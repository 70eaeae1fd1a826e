package dev.pairvm.operator;

import dev.pairvm.operator.desired.Installation;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/** Flags of the operator; each has an environment variable that it takes its default from. */
final class OperatorOptions {
    /** What installations call the operator's pods. */
    private static final String APP_NAME = "pairvm-operator";

    @Option(
            names = "--namespace",
            required = true,
            defaultValue = "${env:PAIRVM_NAMESPACE}",
            description = "namespace of the operator: certificate authority, leader election")
    private String namespace = "";

    @Option(
            names = "--mirror-image",
            defaultValue = "${env:PAIRVM_MIRROR_IMAGE:-pairvm/mirror:dev}",
            description = "image of the mirror container (${DEFAULT-VALUE})")
    private String mirrorImage = "";

    @Option(
            names = "--qemu-image",
            defaultValue = "${env:PAIRVM_QEMU_IMAGE:-pairvm/qemu:dev}",
            description = "image of the qemu container (${DEFAULT-VALUE})")
    private String qemuImage = "";

    @Option(
            names = "--image-pull-policy",
            defaultValue = "${env:PAIRVM_IMAGE_PULL_POLICY:-IfNotPresent}",
            description = "of both images (${DEFAULT-VALUE})")
    private String imagePullPolicy = "";

    @Option(
            names = "--accelerator",
            defaultValue = "${env:PAIRVM_ACCELERATOR:-kvm}",
            description =
                    "${COMPLETION-CANDIDATES}: how guests are run; tcg is slow and for trying out (${DEFAULT-VALUE})")
    private Installation.Accelerator accelerator = Installation.Accelerator.KVM;

    @Option(
            names = "--kvm-resource",
            defaultValue = "${env:PAIRVM_KVM_RESOURCE:-devices.kubevirt.io/kvm}",
            description =
                    "resource that a device plugin offers for /dev/kvm; empty: none is asked for (${DEFAULT-VALUE})")
    private String kvmResource = "";

    @Option(
            names = "--watch-namespaces",
            defaultValue = "${env:PAIRVM_WATCH_NAMESPACES:-}",
            description = "comma-separated; empty: all")
    private String watchNamespaces = "";

    @Option(
            names = "--http-port",
            defaultValue = "${env:PAIRVM_HTTP_PORT:-8080}",
            description = "/livez, /readyz, /metrics (${DEFAULT-VALUE})")
    private int httpPort;

    @Option(
            names = "--leader-election",
            arity = "1",
            defaultValue = "${env:PAIRVM_LEADER_ELECTION:-true}",
            description = "true or false; false only where one operator runs (${DEFAULT-VALUE})")
    private boolean leaderElection;

    @Option(
            names = "--pod-name",
            defaultValue = "${env:POD_NAME:-${env:HOSTNAME:-operator}}",
            description = "identity in the leader election (${DEFAULT-VALUE})")
    private String podName = "";

    Installation installation() {
        return new Installation(
                namespace,
                mirrorImage,
                qemuImage,
                imagePullPolicy,
                accelerator,
                Optional.of(kvmResource).filter(resource -> !resource.isBlank()),
                APP_NAME);
    }

    String namespace() {
        return namespace;
    }

    Set<String> watchNamespaces() {
        return Arrays.stream(watchNamespaces.split(","))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .collect(Collectors.toSet());
    }

    int httpPort() {
        return httpPort;
    }

    boolean leaderElection() {
        return leaderElection;
    }

    String podName() {
        return podName;
    }
}

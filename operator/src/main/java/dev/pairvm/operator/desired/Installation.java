package dev.pairvm.operator.desired;

import java.util.Optional;

/**
 * What is the same for every machine of an installation; comes from the operator's flags and environment.
 *
 * @param namespace namespace of the operator, where its certificate authority is kept
 * @param mirrorImage image of the mirror container
 * @param qemuImage image of the qemu container
 * @param imagePullPolicy {@code IfNotPresent}, {@code Always} or {@code Never}
 * @param accelerator how QEMU runs guests
 * @param kvmResource extended resource that a device plugin offers for {@code /dev/kvm}; used with {@link Accelerator#KVM} only
 * @param operatorAppName value of {@code app.kubernetes.io/name} on the operator's pods; network policies let those in
 */
public record Installation(
        String namespace,
        String mirrorImage,
        String qemuImage,
        String imagePullPolicy,
        Accelerator accelerator,
        Optional<String> kvmResource,
        String operatorAppName) {

    /** How QEMU runs guests. */
    public enum Accelerator {
        /** In hardware. */
        KVM,
        /** In software: slow, for trying things out where there is no hardware virtualisation. */
        TCG
    }
}

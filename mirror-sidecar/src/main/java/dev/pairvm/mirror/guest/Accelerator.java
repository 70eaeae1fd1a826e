package dev.pairvm.mirror.guest;

import java.util.List;

/** What executes the guest's instructions. */
public enum Accelerator {
    /** Hardware virtualisation or nothing: QEMU refuses to start where {@code /dev/kvm} does not work. */
    KVM(List.of("-accel", "kvm")),
    /** Translation in software; runs everywhere, slowly. */
    TCG(List.of("-accel", "tcg")),
    /**
     * KVM where QEMU can open it, else TCG. Not the default: a {@code /dev/kvm} that opens and then hangs is not noticed, and the
     * two hosts of a pair must not differ, or a live migration between them fails.
     */
    AUTO(List.of("-accel", "kvm", "-accel", "tcg"));

    private final List<String> arguments;

    Accelerator(List<String> arguments) {
        this.arguments = arguments;
    }

    List<String> arguments() {
        return arguments;
    }

    /**
     * From the mirror's environment variable {@code PAIRVM_ACCELERATOR}.
     *
     * @throws IllegalArgumentException naming the three words that are known
     */
    public static Accelerator parse(String word) {
        return switch (word) {
            case "kvm" -> KVM;
            case "tcg" -> TCG;
            case "auto" -> AUTO;
            default ->
                throw new IllegalArgumentException("PAIRVM_ACCELERATOR must be kvm, tcg or auto, got \"" + word + "\"");
        };
    }
}

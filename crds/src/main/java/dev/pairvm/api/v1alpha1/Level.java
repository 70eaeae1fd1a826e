package dev.pairvm.api.v1alpha1;

/** How well a machine is protected; a wish. What is reached is an {@link EffectiveLevel}. */
public enum Level {
    /** The second host holds the mirrored disks; after a host's death a new pod boots the guest there. */
    HighAvailability,
    /** The second host also holds a started, paused machine, which boots at once. */
    ContinuousAvailability
}

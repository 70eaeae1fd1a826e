package dev.pairvm.api.v1alpha1;

/** How well a machine is protected; a wish. What is reached is an {@link EffectiveLevel}. From the least to the most. */
public enum Level {
    /** The second host holds the mirrored disks; after a host's death a new pod boots the guest there. */
    HighAvailability,
    /** The second host also holds a started, paused machine, which boots at once. */
    ContinuousAvailability,
    /** The second host runs a twin of the guest: after a host's death it goes on, with its memory and connections. */
    FaultTolerance
}

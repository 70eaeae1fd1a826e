package dev.pairvm.api.v1alpha1;

/** The protection that holds now, concluded from what is observed. */
public enum EffectiveLevel {
    /** The death of the active's host would stop the machine until that host is back, or lose writes. */
    None,
    /** As {@link Level#HighAvailability}. */
    HighAvailability,
    /** As {@link Level#ContinuousAvailability}. */
    ContinuousAvailability
}

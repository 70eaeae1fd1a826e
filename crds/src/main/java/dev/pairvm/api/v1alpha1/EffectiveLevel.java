package dev.pairvm.api.v1alpha1;

/** The protection that holds now, concluded from what is observed. From the least to the most. */
public enum EffectiveLevel {
    /** The death of the active's host would stop the machine until that host is back, or lose writes. */
    None,
    /** As {@link Level#HighAvailability}. */
    HighAvailability,
    /** As {@link Level#ContinuousAvailability}. */
    ContinuousAvailability,
    /** As {@link Level#FaultTolerance}. */
    FaultTolerance;

    /** What would give the wished level. */
    public static EffectiveLevel of(Level level) {
        return switch (level) {
            case HighAvailability -> HighAvailability;
            case ContinuousAvailability -> ContinuousAvailability;
            case FaultTolerance -> FaultTolerance;
        };
    }

    /** Whether this gives at least the wished level. */
    public boolean covers(Level level) {
        return compareTo(of(level)) >= 0;
    }
}

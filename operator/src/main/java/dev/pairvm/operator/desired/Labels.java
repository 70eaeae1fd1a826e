package dev.pairvm.operator.desired;

/** Labels and annotations that PairVM puts on the objects it owns. */
public final class Labels {
    /** Name of the machine; on every owned object. */
    public static final String MACHINE = "pairvm.dev/machine";
    /** Uid of the machine; tells a machine from an earlier one of the same name. */
    public static final String MACHINE_UID = "pairvm.dev/machine-uid";
    /** Name of the copy; on what belongs to one copy. */
    public static final String COPY = "pairvm.dev/copy";
    /** Name of the mirrored disk; on claims. */
    public static final String DISK = "pairvm.dev/disk";
    /** The recommended label for the tool that manages an object. */
    public static final String MANAGED_BY = "app.kubernetes.io/managed-by";
    /** Value of {@link #MANAGED_BY}. */
    public static final String OPERATOR = "pairvm-operator";

    /** Annotation: digest of what the operator last applied, so that an unchanged wish costs no write. */
    public static final String APPLIED = "pairvm.dev/applied";
    /** Annotation on pods: see {@link PodShape.Kind}. */
    public static final String SHAPE = "pairvm.dev/shape";
    /** Annotation on pods: since when the operator has been about to replace the pod, RFC 3339. The intent, before the act. */
    public static final String REPLACING_SINCE = "pairvm.dev/replacing-since";
    /** Annotation on pods: since when no node has had the memory for the larger pod that this one stands in for, RFC 3339. */
    public static final String NO_ROOM_SINCE = "pairvm.dev/no-room-for-twin-since";
    /** Annotation on the ProtectedVM: what the operator must not forget, see the package {@code protectedvm}. */
    public static final String MEMORY = "pairvm.dev/operator-memory";

    private Labels() {}
}

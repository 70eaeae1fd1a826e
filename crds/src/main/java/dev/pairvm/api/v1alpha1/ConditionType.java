package dev.pairvm.api.v1alpha1;

/**
 * Types of a ProtectedVM's and a ProtectedVMOperation's conditions; each answers one question. {@code Reconciling} and
 * {@code Stalled} follow kstatus: present and true only while they hold.
 */
public final class ConditionType {
    /** Does the machine do what the spec asks, at the wished level? */
    public static final String READY = "Ready";
    /** Can the spec be honoured, as far as the object alone tells? The message names the path of what can not. */
    public static final String SPEC_VALID = "SpecValid";
    /** Can the cluster give the wished level? */
    public static final String LEVEL_SUPPORTED = "LevelSupported";
    /** Are there two copies that talk to each other? */
    public static final String PAIRED = "Paired";
    /** Do two copies hold every acknowledged write? */
    public static final String IN_SYNC = "InSync";
    /** Could the active reach the arbiter when it last tried? */
    public static final String ARBITER_REACHABLE = "ArbiterReachable";
    /** Is every single fault that the level promises to survive survivable now? */
    public static final String REDUNDANT = "Redundant";
    /** Did the last comparison of both copies find them equal? {@code False} also if it has repaired what differed. */
    public static final String VERIFIED = "Verified";
    /** Are the disks as large as the spec asks for? The message names the path of the one that is not, and what it waits for. */
    public static final String DISK_GROWTH = "DiskGrowth";
    /** Is the operator at work on a change? */
    public static final String RECONCILING = "Reconciling";
    /** Is it stuck until somebody acts? */
    public static final String STALLED = "Stalled";
    /** Of a ProtectedVMOperation: is it over, and well? {@code False} once it has failed. */
    public static final String SUCCEEDED = "Succeeded";

    private ConditionType() {}
}

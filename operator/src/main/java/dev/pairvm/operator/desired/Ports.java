package dev.pairvm.operator.desired;

/** Ports of a mirror. */
public final class Ports {
    /** Peer link; beacons use the same number over UDP. */
    public static final int LINK = 7400;
    /** Reports and orders, HTTPS with client certificates. */
    public static final int CONTROL = 9443;
    /** Health and metrics, plain HTTP. */
    public static final int HEALTH = 9080;

    private Ports() {}
}

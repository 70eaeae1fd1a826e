package dev.pairvm.api.v1alpha1;

/** Patterns of the schema, anchored, and the bounds that go with them. */
final class Shapes {
    static final String DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    static final String DNS_SUBDOMAIN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    static final String NETWORK_ATTACHMENT = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$";
    static final String LABEL_KEY = "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$";
    static final String LABEL_VALUE = "^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$";
    /** A decimal or binary quantity of bytes; its bounds are in rules. */
    static final String BYTES = "^[0-9]{1,15}(\\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?$";
    /** What may stand in a QEMU option without being read as another option. */
    static final String QEMU_WORD = "^[A-Za-z0-9][A-Za-z0-9_.+-]*$";
    /** Lower bit of the first byte is 0: an address of one card, not of a group. */
    static final String MAC = "^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$";

    static final String UUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";
    static final String MACHINE_TYPE = "^(q35|pc-q35-[0-9]{1,3}\\.[0-9]{1,3})$";
    static final String URL = "^https?://[^\\s/]+(/\\S*)?$";
    static final String CHECKSUM = "^sha256:[0-9a-f]{64}$";
    static final String BASE64 = "^[A-Za-z0-9+/\\n]*={0,2}\\n?$";

    /** Of a Kubernetes object. */
    static final long NAME = 253;
    /** Of a DNS label. */
    static final long LABEL = 63;
    /** A disk's name becomes the name of a volume, {@code disk-NAME}. */
    static final long DISK_NAME = 40;
    /** Disks, interfaces, networks: what the expressions of the rules are bounded by. */
    static final long FEW = 16;
    /** Cloud-init's data, each. */
    static final long CLOUD_INIT = 65_536;

    private Shapes() {}
}

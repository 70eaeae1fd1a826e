package dev.pairvm.mirror.nbd;

/** The error values of the protocol (proto.md, "Error values"); no other may travel. */
public enum NbdError {
    /** Write or trim on a read-only export. */
    EPERM(1),
    /** The copies could not do it. */
    EIO(5),
    /** Malformed request, unknown command or flag, range beyond the end. */
    EINVAL(22),
    /** No space, or a write beyond the end. */
    ENOSPC(28),
    /** Too long for one unfragmented reply. */
    EOVERFLOW(75),
    /** Zeroing would not be quicker than writing. */
    ENOTSUP(95),
    /** The server is going down. */
    ESHUTDOWN(108);

    private final int wire;

    NbdError(int wire) {
        this.wire = wire;
    }

    /** The number on the wire. */
    public int wire() {
        return wire;
    }
}

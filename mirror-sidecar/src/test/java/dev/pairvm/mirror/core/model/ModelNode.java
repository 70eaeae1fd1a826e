package dev.pairvm.mirror.core.model;

/** One side in the model. Sets of copies and of writes are bit sets. */
final class ModelNode {
    enum Role {
        DOWN,
        IDLE,
        STANDBY,
        RECOVERING,
        ACTIVE;

        boolean leads() {
            return this == RECOVERING || this == ACTIVE;
        }
    }

    enum Cas {
        NONE,
        SHRINK,
        GROW,
        PROMOTE,
        START
    }

    Role role = Role.IDLE;
    int epoch;
    int inSync;
    int session;
    int disk;
    int localPending;
    int peerAcked;
    int inFlight;
    boolean joint;
    Cas cas = Cas.NONE;

    ModelNode copy() {
        ModelNode copy = new ModelNode();
        copy.role = role;
        copy.epoch = epoch;
        copy.inSync = inSync;
        copy.session = session;
        copy.disk = disk;
        copy.localPending = localPending;
        copy.peerAcked = peerAcked;
        copy.inFlight = inFlight;
        copy.joint = joint;
        copy.cas = cas;
        return copy;
    }

    /** Only the disk and the epoch seen outlive a role. */
    void stepDown() {
        role = Role.IDLE;
        localPending = 0;
        peerAcked = 0;
        inFlight = 0;
        session = 0;
        inSync = 0;
        joint = false;
        cas = Cas.NONE;
    }

    void appendTo(StringBuilder key) {
        key.append((char) (role.ordinal() | epoch << 4 | inSync << 8));
        key.append((char) (session | disk << 4 | localPending << 8));
        key.append((char) (peerAcked | inFlight << 4 | (joint ? 1 << 8 : 0) | cas.ordinal() << 9));
    }
}

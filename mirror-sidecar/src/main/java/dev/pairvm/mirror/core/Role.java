package dev.pairvm.mirror.core;

/** What this mirror is (glossary of the design). */
public enum Role {
    /** No authority: looks for the record or for its peer. May go to STANDBY, RECOVERING. */
    IDLE,
    /** Follows an active in a session. May go to IDLE (session lost), RECOVERING (won the promotion or was handed the guest). */
    STANDBY,
    /** Named active by the record, not yet allowed to serve. May go to ACTIVE, IDLE (fenced). */
    RECOVERING,
    /** Serves the guest. May go to SUSPENDED (leave lost), IDLE (fenced, handed over). */
    ACTIVE,
    /** Active without leave: guest I/O is held, the gate is closed, the guest is frozen. May go to ACTIVE, IDLE (fenced). */
    SUSPENDED;

    /** Whether this mirror leads: only a lead sends writes, and only to a peer that does not. */
    public boolean leads() {
        return this == RECOVERING || this == ACTIVE || this == SUSPENDED;
    }
}

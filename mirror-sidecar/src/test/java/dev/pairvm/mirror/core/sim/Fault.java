package dev.pairvm.mirror.core.sim;

/** What the simulator breaks, each with how rare it is: one in so many seeds knows it, 1 = all. */
enum Fault {
    NODE_CRASH(1),
    PROCESS_CRASH(1),
    /** Both hosts lose power in the same moment. */
    BOTH_LOSE_POWER(1),
    /** Killed while, or right after, a chosen kind of effect is carried out. */
    KILLED_IN_PHASE(1),
    /** SIGTERM: flush, say goodbye, exit. */
    STOPPED_IN_ORDER(2),
    GUEST_CRASH(1),
    LINK_CUT(1),
    ONE_WAY_CUT(1),
    LINK_RESET(1),
    SLOW_LINK(1),
    /** The host is cut off from link and arbiter at once. */
    HOST_ISOLATED(1),
    NODE_PAUSE(1),
    LOOP_STALL(1),
    ARBITER_OUTAGE(1),
    /** The API server refuses for a while: too many requests. */
    ARBITER_THROTTLED(2),
    ARBITER_MISSING(4),
    ARBITER_MALFORMED(4),
    /** Somebody made a new object of the same name. */
    ARBITER_REPLACED(4),
    /** Reads show what was before. */
    ARBITER_ROLLED_BACK(4),
    ADDRESS_LINE(1),
    /** Somebody raises the epoch by hand, which no mirror asked for. */
    RECORD_EDITED(4),
    HAND_OVER_ORDER(1),
    /** Level 3 is switched on or off. */
    LEVEL_CHANGED(2),
    LEAVE_ORDER(2),
    VERIFY_ORDER(2),
    /** A few cells of one copy change by themselves, and no error says so. */
    SILENT_ROT(6),
    /** A disk is to grow. */
    GROW_ORDER(2),
    SLOW_DISK(1),
    /** Nothing comes back from a disk for up to five seconds. */
    DISK_STALL(2),
    /** One disk of the two: unreadable places, a flush that fails once, or dead. */
    DISK_FAULT(5),
    /** Writes fail at random, on either disk. */
    WRITE_ERRORS(12),
    BLANK_DISK(10);

    final int rarity;

    Fault(int rarity) {
        this.rarity = rarity;
    }
}

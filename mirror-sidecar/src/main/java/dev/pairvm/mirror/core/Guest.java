package dev.pairvm.mirror.core;

/** What the core has said about this side's guest; keeps effects idempotent. */
final class Guest {
    private final Outbox out;
    private boolean mayRun;
    private boolean frozen;
    private boolean killing;
    /** A twin of the active's guest is here, or on its way here (level 3). */
    private boolean twin;
    /** A twin took over here, and what it wrote before is not in this copy's image yet. */
    private boolean uncommitted;

    Guest(Outbox out) {
        this.out = out;
    }

    /** A guest of an earlier life of the mirror still lives; that life may have frozen it. */
    void foundAlive() {
        mayRun = true;
        frozen = true;
    }

    /** The guest may run, from now or again. */
    void run(long epoch, Effect.StartCause cause, boolean first) {
        if (frozen) {
            frozen = false;
            out.emit(new Effect.ThawGuest());
        }
        if (first) {
            mayRun = true;
            twin = false;
            uncommitted |= cause == Effect.StartCause.TAKEN_OVER;
            out.emit(new Effect.StartGuest(epoch, cause));
        }
    }

    void freeze() {
        if (mayRun && !frozen) {
            frozen = true;
            out.emit(new Effect.FreezeGuest());
        }
    }

    /** It must not run here any more. */
    void kill() {
        out.emit(new Effect.CloseGate());
        if ((mayRun || twin) && !killing) {
            killing = true;
            out.emit(new Effect.KillGuest());
        }
    }

    void killed() {
        if (killing) {
            killing = false;
            mayRun = false;
            frozen = false;
            twin = false;
        }
    }

    void twinArrived() {
        twin = true;
    }

    void twinGone() {
        twin = false;
    }

    boolean twin() {
        return twin;
    }

    void overlays(boolean found) {
        uncommitted = found;
    }

    /** Whether another copy would lack acknowledged writes, though it had all of this one's image. */
    boolean uncommitted() {
        return uncommitted;
    }

    /** Whether neither a guest nor a twin of one is here: what an earlier session left must be gone before the next. */
    boolean clear() {
        return !mayRun && !twin;
    }

    /** Whether no guest of this side can run: only then may its disk be written by another. */
    boolean dead() {
        return !mayRun;
    }
}

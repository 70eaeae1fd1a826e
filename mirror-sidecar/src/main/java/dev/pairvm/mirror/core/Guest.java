package dev.pairvm.mirror.core;

/** What the core has said about this side's guest; keeps effects idempotent. */
final class Guest {
    private final Outbox out;
    private boolean mayRun;
    private boolean frozen;
    private boolean killing;

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
        if (mayRun && !killing) {
            killing = true;
            out.emit(new Effect.KillGuest());
        }
    }

    void killed() {
        if (killing) {
            killing = false;
            mayRun = false;
            frozen = false;
        }
    }

    /** Whether no guest of this side can run: only then may its disk be written by another. */
    boolean dead() {
        return !mayRun;
    }
}

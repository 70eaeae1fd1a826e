package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Knows the arbiter record and changes it by compare-and-swap, one wish at a time.
 *
 * <p>The outcome of an attempt that got no answer is open until the version has moved: then it was applied if the record carries
 * its nonce, and can never be applied otherwise. Reading back an <em>unchanged</em> version proves nothing, for the request may
 * still be on its way. An open attempt is settled by sending it, or another change, against the same version again: at most one of
 * them can be applied.
 *
 * <p>Requests carry rising tokens; an answer to a request made before the present version was learned is older than what is known
 * and is passed over.
 */
final class CasDesk {
    /** What a change is for. */
    enum Kind {
        START,
        SHRINK,
        GROW,
        KEEP,
        PROMOTE,
        HAND_OVER,
        /** The active's own copy leaves the in-sync set; it stays the active and serves from its peer. */
        WITHOUT_DISK,
        FAIL_OVER,
        /** The in-sync peer's twin may take over as it is (level 3). */
        RECORD_TWIN,
        /** It may not any more. */
        WITHDRAW_TWIN,
        /** The in-sync peer becomes the active with its twin as the guest, which this side has lost or stopped (level 3). */
        HAND_TO_TWIN
    }

    /** Hears what the arbiter says. */
    interface Listener {
        /** A change of this desk was applied; {@code arbiter} is the record now. */
        void won(Kind kind, ArbiterRecord arbiter);

        /** A fresh read that shows no change of this desk; {@code moved} if the epoch is another than the one known. */
        void observed(ArbiterRecord arbiter, boolean moved, long readToken);

        /** The record can not be used; the kind says why. Null: it can. */
        void trouble(Problem.@Nullable Kind kind, String why);

        /** The version moved without the epoch: attempts for the wish are dead, and it must be wished again if it still holds. */
        void expired(Kind kind);

        /** A wish ended without having been sent. */
        void notSent(Kind kind);
    }

    private static final long IDLE_READ_MILLIS = 500;

    private record Wish(Kind kind, CopyId active, SortedSet<CopyId> inSync) {}

    private static final class Attempt {
        final Kind kind;
        final ArbiterRecord next;
        int perhapsSent;

        Attempt(Kind kind, ArbiterRecord next) {
            this.kind = kind;
            this.next = next;
        }
    }

    private final CoreConfig config;
    private final Outbox out;
    private final Rules rules;
    private final Listener listener;
    private final List<Attempt> open = new ArrayList<>();
    private final Map<Long, Attempt> asked = new HashMap<>();
    private final Supplier<String> pinnedUid;
    /** The object last seen; not yet believed in if none is pinned. */
    private String uid = "";

    private @Nullable ArbiterRecord known;
    private String version = "";
    private long knownAt;
    private long readToken;
    private long retryAt;
    private @Nullable Kind lastSent;
    private long idleReadAt;
    private long nonces;
    private @Nullable SortedSet<CopyId> others;
    private @Nullable Wish wish;
    private @Nullable Boolean reachable;

    CasDesk(CoreConfig config, Outbox out, Rules rules, Listener listener, Supplier<String> pinnedUid) {
        this.config = config;
        this.out = out;
        this.rules = rules;
        this.listener = listener;
        this.pinnedUid = pinnedUid;
    }

    @Nullable
    ArbiterRecord known() {
        return known;
    }

    /** The object that {@link #known} is of; what is not pinned durably may turn out to be another's. */
    String uid() {
        return uid;
    }

    @Nullable
    Boolean reachable() {
        return reachable;
    }

    /** Whether a change of ours may have been, or may yet be applied. */
    boolean inDoubt() {
        return !open.isEmpty();
    }

    boolean inDoubt(Kind kind) {
        return open.stream().anyMatch(attempt -> attempt.kind == kind);
    }

    @Nullable
    Kind wished() {
        Wish now = wish;
        return now == null ? null : now.kind();
    }

    /** Other copies that the record may list in sync: the record's and those of all open attempts. Asked in every step, so kept. */
    SortedSet<CopyId> others() {
        SortedSet<CopyId> kept = others;
        if (kept == null) {
            kept = computeOthers();
            others = kept;
        }
        return kept;
    }

    private SortedSet<CopyId> computeOthers() {
        TreeSet<CopyId> all = new TreeSet<>();
        ArbiterRecord arbiter = known;
        boolean shrunk = !rules.unconfirmedShrinkCounts() && inDoubt(Kind.SHRINK);
        if (arbiter != null && !shrunk) {
            all.addAll(arbiter.inSync());
        }
        for (Attempt attempt : open) {
            if (attempt.kind != Kind.GROW || rules.unconfirmedGrowCounts()) {
                all.addAll(attempt.next.inSync());
            }
        }
        all.remove(config.self());
        return Collections.unmodifiableSortedSet(all);
    }

    /** Reads the record, unless a read is on its way or the pause after a failure is not over. */
    void read() {
        if (readToken == 0 && out.now() >= retryAt) {
            readToken = out.token();
            out.emit(new Effect.ReadArbiter(readToken));
        }
    }

    /** Reads once in a while, when nothing presses. */
    void readSometimes() {
        readEvery(IDLE_READ_MILLIS);
    }

    /** Reads once in a pause between attempts: somebody waits for the answer. */
    void readOften() {
        readEvery(config.waits().arbiterRetryMillis());
    }

    private void readEvery(long millis) {
        if (out.now() >= idleReadAt) {
            idleReadAt = out.after(millis);
            read();
        }
    }

    /** Reads now: an older read does not count. */
    long readAfresh() {
        readToken = out.token();
        out.emit(new Effect.ReadArbiter(readToken));
        return readToken;
    }

    /** Wishes a change of the known record; sent at once, and again until its outcome is known or it is withdrawn. */
    void wish(Kind kind, CopyId active, SortedSet<CopyId> inSync) {
        boolean news = kind != lastSent;
        wish = new Wish(kind, active, inSync);
        if (news || mayAsk()) {
            send();
        }
    }

    /** Whether the pause after the last attempt is over. */
    boolean mayAsk() {
        return out.now() >= retryAt;
    }

    /** No more attempts for the wish; those that were sent stay in doubt. */
    void withdraw() {
        wish = null;
    }

    void tick() {
        if (wish != null && asked.isEmpty() && out.now() >= retryAt) {
            send();
        }
    }

    private void send() {
        Wish now = wish;
        ArbiterRecord base = known;
        if (now == null || base == null) {
            return;
        }
        Attempt attempt = null;
        for (Attempt candidate : open) {
            if (candidate.kind == now.kind()
                    && candidate.next.active().equals(now.active())
                    && candidate.next.inSync().equals(now.inSync())) {
                attempt = candidate;
            }
        }
        if (attempt == null) {
            String nonce = Long.toHexString(config.life()) + "-" + ++nonces;
            // Whoever changes anything else ends the twin with it: see Twin.
            ArbiterRecord.Mode mode = now.kind() == Kind.RECORD_TWIN || now.kind() == Kind.HAND_TO_TWIN
                    ? ArbiterRecord.Mode.FT
                    : ArbiterRecord.Mode.HA;
            attempt = new Attempt(
                    now.kind(),
                    new ArbiterRecord(base.epoch().next(), now.active(), now.inSync(), mode, nonce, base.addresses()));
            open.add(attempt);
            others = null;
        }
        attempt.perhapsSent++;
        lastSent = now.kind();
        long token = out.token();
        asked.put(token, attempt);
        retryAt = out.after(config.waits().arbiterRetryMillis());
        out.emit(new Effect.CasArbiter(token, version, attempt.next));
    }

    void applied(Event.CasApplied event) {
        Attempt attempt = asked.remove(event.token());
        if (attempt == null || event.token() <= knownAt) {
            return;
        }
        learn(attempt.next, event.version());
        wish = null;
        healthy();
        listener.won(attempt.kind, attempt.next);
    }

    void conflict(Event.CasConflict event) {
        if (asked.remove(event.token()) != null) {
            observe(event.arbiter(), event.version(), event.uid(), event.token());
        }
    }

    void read(Event.ArbiterRead event) {
        if (event.token() == readToken) {
            readToken = 0;
        }
        observe(event.arbiter(), event.version(), event.uid(), event.token());
    }

    /** Whether the record is of the object that this copy's data belong to. A copy that has none yet takes what it sees last. */
    private boolean isOurs(String seen) {
        String expected = pinnedUid.get();
        if (expected.isEmpty() && !uid.equals(seen) && open.isEmpty()) {
            known = null;
            others = null;
            return true;
        }
        return seen.equals(expected.isEmpty() ? uid : expected);
    }

    private void observe(ArbiterRecord arbiter, String seenVersion, String seenUid, long token) {
        if (token <= knownAt) {
            return;
        }
        if (!isOurs(seenUid)) {
            listener.trouble(Problem.Kind.ARBITER_LOST, "expected object " + pinnedUid.get() + ", found " + seenUid);
            return;
        }
        ArbiterRecord before = known;
        if (before != null && before.epoch().fences(arbiter.epoch())) {
            listener.trouble(
                    Problem.Kind.ARBITER_ROLLBACK, "epoch went from " + before.epoch() + " to " + arbiter.epoch());
            return;
        }
        uid = seenUid;
        healthy();
        if (before != null && seenVersion.equals(version)) {
            if (!rules.unchangedVersionProvesNothing()) {
                open.clear();
                others = null;
            }
            listener.observed(arbiter, false, token);
            return;
        }
        Attempt mine = null;
        for (Attempt attempt : open) {
            if (attempt.next.nonce().equals(arbiter.nonce())
                    && attempt.next.epoch().equals(arbiter.epoch())) {
                mine = attempt;
            }
        }
        boolean moved = before == null || !before.epoch().equals(arbiter.epoch());
        learn(arbiter, seenVersion);
        // A wish was made for what was known then. Whether it still holds is for its owner to say: the joiner of a grow
        // may be gone.
        Wish expired = wish;
        wish = null;
        if (mine != null) {
            listener.won(mine.kind, arbiter);
        } else {
            listener.observed(arbiter, moved, token);
            if (!moved && expired != null) {
                listener.expired(expired.kind());
            }
        }
    }

    private void learn(ArbiterRecord arbiter, String newVersion) {
        known = arbiter;
        version = newVersion;
        knownAt = out.token();
        open.clear();
        others = null;
        asked.clear();
        lastSent = null;
        retryAt = out.now();
    }

    private void healthy() {
        reachable = true;
        listener.trouble(null, "");
    }

    /** The outcome is open. */
    void unresolved(Event.CasUnresolved event) {
        asked.remove(event.token());
        failed(Problem.Kind.ARBITER_UNREACHABLE, event.why());
    }

    /** A read without answer, or a change that certainly was not sent. */
    void unreachable(Event.ArbiterUnreachable event) {
        finished(event.token());
        Attempt attempt = asked.remove(event.token());
        failed(Problem.Kind.ARBITER_UNREACHABLE, event.why());
        if (attempt != null && --attempt.perhapsSent == 0) {
            open.remove(attempt);
            others = null;
            listener.notSent(attempt.kind);
        }
    }

    void missing(Event.ArbiterMissing event) {
        finished(event.token());
        asked.remove(event.token());
        failed(Problem.Kind.ARBITER_LOST, "the arbiter's Lease does not exist");
    }

    void malformed(Event.ArbiterMalformed event) {
        finished(event.token());
        failed(Problem.Kind.ARBITER_MALFORMED, event.why());
    }

    private void finished(long token) {
        if (token == readToken) {
            readToken = 0;
        }
    }

    private void failed(Problem.Kind kind, String why) {
        reachable = false;
        retryAt = out.after(config.waits().arbiterRetryMillis());
        listener.trouble(kind, why);
    }
}

package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;

/** A linearizable register with delays, lost answers, late effects and outages. */
final class SimArbiter {
    private final World world;
    private final Consumer<ArbiterRecord> changed;
    ArbiterRecord stored;
    private long version = 1;
    /** By copy: can reach it. Time-outs rather than refusals while {@link #silent}. */
    final TreeMap<CopyId, Boolean> cut = new TreeMap<>();

    private final Set<CopyId> forgotten = new HashSet<>();
    /** Changes that the API server has still to carry out, each of which names this copy the only one in sync. */
    private final TreeMap<CopyId, Integer> underWay = new TreeMap<>();

    boolean silent;
    boolean calm;
    Mask mask = Mask.NONE;
    private ArbiterRecord old;
    private String oldVersion = "1";

    /** What mirrors see instead of the truth; nothing is changed meanwhile. */
    enum Mask {
        NONE,
        THROTTLED,
        MISSING,
        MALFORMED,
        REPLACED,
        ROLLED_BACK
    }

    SimArbiter(World world, CopyId active, Consumer<ArbiterRecord> changed) {
        this.world = world;
        this.changed = changed;
        stored = new ArbiterRecord(
                ArbiterRecord.PROVISIONED,
                active,
                new TreeSet<>(List.of(active)),
                ArbiterRecord.Mode.HA,
                "provisioned",
                new TreeMap<>());
        old = stored;
    }

    /** Epoch of the record that a roll-back brings to light. */
    long oldEpoch() {
        return old.epoch().value();
    }

    private Event masked(long token, boolean change) {
        return switch (mask) {
            case NONE -> throw new IllegalStateException("not masked");
            case THROTTLED -> new Event.ArbiterUnreachable(token, "429");
            case MISSING -> new Event.ArbiterMissing(token);
            case MALFORMED ->
                change ? new Event.CasUnresolved(token, "500") : new Event.ArbiterMalformed(token, "no epoch");
            case REPLACED -> {
                ArbiterRecord fresh = new ArbiterRecord(
                        ArbiterRecord.PROVISIONED,
                        stored.active(),
                        new TreeSet<>(List.of(stored.active())),
                        ArbiterRecord.Mode.HA,
                        "again",
                        new TreeMap<>());
                yield change
                        ? new Event.CasConflict(token, fresh, "1", "uid-2")
                        : new Event.ArbiterRead(token, fresh, "1", "uid-2");
            }
            case ROLLED_BACK ->
                change
                        ? new Event.CasConflict(token, old, oldVersion, "uid-1")
                        : new Event.ArbiterRead(token, old, oldVersion, "uid-1");
        };
    }

    private boolean cut(CopyId from) {
        return forgotten.contains(from) || cut.getOrDefault(from, false);
    }

    /** Whether this copy's mirror and the API server do not hear of each other. */
    boolean hides(CopyId copy) {
        return cut(copy);
    }

    /** Its pod was deleted: the API server knows its token no more. */
    void forget(CopyId copy) {
        forgotten.add(copy);
    }

    void read(SimMirror from, Effect.ReadArbiter effect) {
        if (cut(from.copy())) {
            from.later(silent ? 1000 : 2, new Event.ArbiterUnreachable(effect.token(), "cut"));
            return;
        }
        if (mask != Mask.NONE) {
            from.later(world.between(1, 8), masked(effect.token(), false));
            return;
        }
        world.afterMillis(world.between(1, 8), () -> {
            ArbiterRecord seen = stored;
            String at = Long.toString(version);
            double delay = !calm && world.oneIn(20) ? world.between(20, 900) : world.between(1, 8);
            from.later(delay, new Event.ArbiterRead(effect.token(), seen, at, "uid-1"));
        });
    }

    void cas(SimMirror from, Effect.CasArbiter effect) {
        boolean unreachable = cut(from.copy());
        if (unreachable && !silent) {
            from.later(2, new Event.ArbiterUnreachable(effect.token(), "connection refused"));
            return;
        }
        if (!unreachable && mask != Mask.NONE) {
            from.later(world.between(1, 8), masked(effect.token(), true));
            return;
        }
        boolean grows = effect.next().inSync().size() > stored.inSync().size();
        boolean late = !calm && (unreachable ? world.oneIn(3) : world.oneIn(grows ? 4 : 10));
        boolean replyLost = unreachable || late || !calm && world.oneIn(12);
        boolean swallowed = unreachable && !late || replyLost && !late && world.oneIn(2);
        if (replyLost) {
            from.later(world.between(300, 1000), new Event.CasUnresolved(effect.token(), "timeout"));
            world.met(late ? World.Branch.CAS_LATE : World.Branch.CAS_REPLY_LOST);
        }
        if (swallowed) {
            return;
        }
        boolean sole = effect.next().inSync().size() == 1;
        CopyId named = effect.next().active();
        if (sole) {
            underWay.merge(named, 1, Integer::sum);
        }
        world.afterMillis(late ? world.between(100, 4000) : world.between(2, 25), () -> {
            if (sole) {
                underWay.merge(named, -1, Integer::sum);
            }
            apply(from, effect, !replyLost);
        });
    }

    /** Whether a change that is under way may make this copy the only one. */
    boolean mayBecomeSole(CopyId copy) {
        return underWay.getOrDefault(copy, 0) > 0;
    }

    private void apply(SimMirror from, Effect.CasArbiter effect, boolean answer) {
        boolean applies = effect.expectedVersion().equals(Long.toString(version));
        if (applies) {
            ArbiterRecord before = stored;
            old = before;
            oldVersion = Long.toString(version);
            version++;
            stored = effect.next();
            Checks.that(
                    stored.epoch().value() == before.epoch().value() + 1,
                    "I4: the epoch rises by one",
                    () -> before + " -> " + stored);
            world.say(
                    "arbiter",
                    "epoch " + stored.epoch() + " active " + stored.active() + " in sync " + stored.inSync() + " by "
                            + from.copy());
            changed.accept(stored);
        } else {
            world.met(World.Branch.CAS_CONFLICT);
        }
        if (answer) {
            double delay = world.between(1, 10);
            from.later(
                    delay,
                    applies
                            ? new Event.CasApplied(effect.token(), Long.toString(version))
                            : new Event.CasConflict(effect.token(), stored, Long.toString(version), "uid-1"));
        }
    }

    /** Somebody raises the epoch, and changes nothing else. */
    void edit() {
        old = stored;
        oldVersion = Long.toString(version);
        stored = new ArbiterRecord(
                stored.epoch().next(), stored.active(), stored.inSync(), stored.mode(), "edited", stored.addresses());
        version++;
        changed.accept(stored);
    }

    /** A mirror replaces its address line: the version moves, the epoch does not. */
    void addressLine(CopyId copy) {
        TreeMap<CopyId, List<String>> addresses = new TreeMap<>(stored.addresses());
        addresses.put(copy, List.of("10.0.0." + world.below(200) + ":7400"));
        stored = new ArbiterRecord(
                stored.epoch(), stored.active(), stored.inSync(), stored.mode(), stored.nonce(), addresses);
        version++;
    }
}

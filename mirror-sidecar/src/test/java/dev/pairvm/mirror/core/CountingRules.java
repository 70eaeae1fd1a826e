package dev.pairvm.mirror.core;

import java.util.EnumMap;
import java.util.Map;

/** The strict rules, counting how often each was asked: one that is never asked is one that no test can find missing. */
public final class CountingRules extends Rules {
    /** One for each method of {@link Rules}. */
    public enum Rule {
        UNCONFIRMED_SHRINK_COUNTS,
        UNCONFIRMED_GROW_COUNTS,
        CHECKS_SESSION,
        RECONCILES_BEFORE_SERVING,
        PROMOTES_ONLY_IN_SYNC,
        UNCHANGED_VERSION_PROVES_NOTHING,
        LOCKS_RANGES,
        RESYNC_LOCKS_RANGES,
        VERIFY_LOCKS_RANGES,
        HEATS_BEFORE_WRITING,
        FLUSHES_PEER,
        KEEPS_PROMISE,
        NEEDS_LEASE,
        DISTRUSTS_NEW_LIFE,
        REMEMBERS_UNFLUSHED,
        DISTRUSTS_OLD_DATA,
        RECORDS_FAILED_COPY,
        SEALS_BEFORE_GROW,
        COMPARES_RETURNING_LOG,
        GROWS_FOLLOWER_FIRST,
        FILLS_TO_OWN_SIZE,
        WITHDRAWS_TWIN_FIRST,
        TAKES_OVER_ONLY_WHEN_RECORDED,
        GROWS_ONLY_WHEN_COMMITTED
    }

    private final long[] asked = new long[Rule.values().length];

    /** How often each was asked. */
    public Map<Rule, Long> counts() {
        Map<Rule, Long> counts = new EnumMap<>(Rule.class);
        for (Rule rule : Rule.values()) {
            counts.put(rule, asked[rule.ordinal()]);
        }
        return counts;
    }

    /** A core under these rules. */
    public PairCore core(CoreConfig config) {
        return new PairCore(config, this);
    }

    private boolean yes(Rule rule) {
        asked[rule.ordinal()]++;
        return true;
    }

    @Override
    boolean growsFollowerFirst() {
        return yes(Rule.GROWS_FOLLOWER_FIRST);
    }

    @Override
    boolean fillsToOwnSize() {
        return yes(Rule.FILLS_TO_OWN_SIZE);
    }

    @Override
    boolean unconfirmedShrinkCounts() {
        return yes(Rule.UNCONFIRMED_SHRINK_COUNTS);
    }

    @Override
    boolean unconfirmedGrowCounts() {
        return yes(Rule.UNCONFIRMED_GROW_COUNTS);
    }

    @Override
    boolean checksSession() {
        return yes(Rule.CHECKS_SESSION);
    }

    @Override
    boolean reconcilesBeforeServing() {
        return yes(Rule.RECONCILES_BEFORE_SERVING);
    }

    @Override
    boolean promotesOnlyInSync() {
        return yes(Rule.PROMOTES_ONLY_IN_SYNC);
    }

    @Override
    boolean unchangedVersionProvesNothing() {
        return yes(Rule.UNCHANGED_VERSION_PROVES_NOTHING);
    }

    @Override
    boolean locksRanges() {
        return yes(Rule.LOCKS_RANGES);
    }

    @Override
    boolean resyncLocksRanges() {
        return yes(Rule.RESYNC_LOCKS_RANGES);
    }

    @Override
    boolean verifyLocksRanges() {
        return yes(Rule.VERIFY_LOCKS_RANGES);
    }

    @Override
    boolean heatsBeforeWriting() {
        return yes(Rule.HEATS_BEFORE_WRITING);
    }

    @Override
    boolean flushesPeer() {
        return yes(Rule.FLUSHES_PEER);
    }

    @Override
    boolean keepsPromise() {
        return yes(Rule.KEEPS_PROMISE);
    }

    @Override
    boolean needsLease() {
        return yes(Rule.NEEDS_LEASE);
    }

    @Override
    boolean distrustsNewLife() {
        return yes(Rule.DISTRUSTS_NEW_LIFE);
    }

    @Override
    boolean remembersUnflushed() {
        return yes(Rule.REMEMBERS_UNFLUSHED);
    }

    @Override
    boolean distrustsOldData() {
        return yes(Rule.DISTRUSTS_OLD_DATA);
    }

    @Override
    boolean recordsFailedCopy() {
        return yes(Rule.RECORDS_FAILED_COPY);
    }

    @Override
    boolean sealsBeforeGrow() {
        return yes(Rule.SEALS_BEFORE_GROW);
    }

    @Override
    boolean comparesReturningLog() {
        return yes(Rule.COMPARES_RETURNING_LOG);
    }

    @Override
    boolean withdrawsTwinFirst() {
        return yes(Rule.WITHDRAWS_TWIN_FIRST);
    }

    @Override
    boolean growsOnlyWhenCommitted() {
        return yes(Rule.GROWS_ONLY_WHEN_COMMITTED);
    }

    @Override
    boolean takesOverOnlyWhenRecorded() {
        return yes(Rule.TAKES_OVER_ONLY_WHEN_RECORDED);
    }
}

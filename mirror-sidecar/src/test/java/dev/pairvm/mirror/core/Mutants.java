package dev.pairvm.mirror.core;

/** Makes cores with one rule relaxed, for tests that show the simulator would notice. */
public enum Mutants {
    NONE(Rules.STRICT),
    ACK_DURING_UNCONFIRMED_SHRINK(new Rules() {
        @Override
        boolean unconfirmedShrinkCounts() {
            return false;
        }
    }),
    JOINER_NOT_COUNTED_DURING_GROW(new Rules() {
        @Override
        boolean unconfirmedGrowCounts() {
            return false;
        }
    }),
    GROW_BEFORE_THE_FOLLOWER(new Rules() {
        @Override
        boolean growsFollowerFirst() {
            return false;
        }
    }),
    FILLED_COPY_KEEPS_ITS_SIZE(new Rules() {
        @Override
        boolean fillsToOwnSize() {
            return false;
        }
    }),
    NO_SESSION_CHECK(new Rules() {
        @Override
        boolean checksSession() {
            return false;
        }
    }),
    SERVE_WITHOUT_RECONCILING(new Rules() {
        @Override
        boolean reconcilesBeforeServing() {
            return false;
        }
    }),
    GROW_BEFORE_THE_OVERLAYS_ARE_COMMITTED(new Rules() {
        @Override
        boolean growsOnlyWhenCommitted() {
            return false;
        }
    }),
    SPEAK_BEFORE_THE_TWIN_IS_WITHDRAWN(new Rules() {
        @Override
        boolean withdrawsTwinFirst() {
            return false;
        }
    }),
    TAKE_OVER_FROM_A_TWIN_NOT_RECORDED(new Rules() {
        @Override
        boolean takesOverOnlyWhenRecorded() {
            return false;
        }
    }),
    PROMOTE_A_COPY_NOT_IN_SYNC(new Rules() {
        @Override
        boolean promotesOnlyInSync() {
            return false;
        }
    }),
    UNCHANGED_VERSION_MEANS_FAILED(new Rules() {
        @Override
        boolean unchangedVersionProvesNothing() {
            return false;
        }
    }),
    NO_RANGE_LOCKS(new Rules() {
        @Override
        boolean locksRanges() {
            return false;
        }
    }),
    RESYNC_WITHOUT_RANGE_LOCK(new Rules() {
        @Override
        boolean resyncLocksRanges() {
            return false;
        }
    }),
    VERIFY_WITHOUT_RANGE_LOCK(new Rules() {
        @Override
        boolean verifyLocksRanges() {
            return false;
        }
    }),
    WRITE_BEFORE_HOT(new Rules() {
        @Override
        boolean heatsBeforeWriting() {
            return false;
        }
    }),
    PEER_NOT_FLUSHED(new Rules() {
        @Override
        boolean flushesPeer() {
            return false;
        }
    }),
    PROMOTE_BEFORE_GRACE(new Rules() {
        @Override
        boolean keepsPromise() {
            return false;
        }
    }),
    SERVE_WITHOUT_LEASE(new Rules() {
        @Override
        boolean needsLease() {
            return false;
        }
    }),
    TRUST_A_RESTARTED_PEER(new Rules() {
        @Override
        boolean distrustsNewLife() {
            return false;
        }
    }),
    FORGET_UNFLUSHED_CHUNKS(new Rules() {
        @Override
        boolean remembersUnflushed() {
            return false;
        }
    }),
    GROW_WITHOUT_SEAL(new Rules() {
        @Override
        boolean sealsBeforeGrow() {
            return false;
        }
    }),
    SERVE_FROM_PEER_BEFORE_RECORDED(new Rules() {
        @Override
        boolean recordsFailedCopy() {
            return false;
        }
    }),
    FILL_BY_HALVES_AFTER_A_DISKLESS_ACTIVE(new Rules() {
        @Override
        boolean distrustsOldData() {
            return false;
        }
    }),
    IGNORE_RETURNING_LOG(new Rules() {
        @Override
        boolean comparesReturningLog() {
            return false;
        }
    });

    private final Rules rules;

    Mutants(Rules rules) {
        this.rules = rules;
    }

    /** A core of this kind. */
    public PairCore core(CoreConfig config) {
        return new PairCore(config, rules);
    }
}

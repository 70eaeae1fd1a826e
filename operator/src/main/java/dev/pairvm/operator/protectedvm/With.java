package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.v1alpha1.ProtectedVMStatus;

/** An observation with a part replaced: as it will be once an earlier action of the same plan is done. */
final class With {
    private With() {}

    static Observation arbiter(Observation seen, ArbiterFact.Known arbiter, String uid) {
        return copy(seen, seen.memory().withLease(uid), arbiter);
    }

    static Observation memory(Observation seen, Memory memory) {
        return copy(seen, memory, seen.arbiter());
    }

    static Observation before(Observation seen, ProtectedVMStatus before) {
        return copy(seen, before, seen.memory(), seen.arbiter());
    }

    private static Observation copy(Observation seen, Memory memory, ArbiterFact arbiter) {
        return copy(seen, seen.before(), memory, arbiter);
    }

    private static Observation copy(Observation seen, ProtectedVMStatus before, Memory memory, ArbiterFact arbiter) {
        return new Observation(
                seen.now(),
                seen.machine(),
                before,
                memory,
                arbiter,
                seen.pods(),
                seen.claims(),
                seen.mirrors(),
                seen.nodes(),
                seen.owned(),
                seen.certificatesDue(),
                seen.strangers(),
                seen.missingClasses(),
                seen.sources(),
                seen.switchover(),
                seen.refusals());
    }
}

package dev.pairvm.operator.protectedvm;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What the API server said when a claim was to ask for more: a quota, an admission rule. For the status only; the operator asks again in
 * every pass, and a restarted one hears it anew. Thread-safe; at most one sentence per claim.
 */
final class ExpansionRefusals {
    private static final int MOST_CHARACTERS = 300;

    private final Map<String, String> byClaim = new ConcurrentHashMap<>();

    void refused(String claimUid, String why) {
        byClaim.put(claimUid, why.length() <= MOST_CHARACTERS ? why : why.substring(0, MOST_CHARACTERS) + "…");
    }

    void granted(String claimUid) {
        byClaim.remove(claimUid);
    }

    Optional<String> of(String claimUid) {
        return Optional.ofNullable(byClaim.get(claimUid));
    }
}

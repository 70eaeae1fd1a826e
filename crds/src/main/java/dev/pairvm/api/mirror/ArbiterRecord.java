package dev.pairvm.api.mirror;

import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What the arbiter stores: who is active and which copies hold every acknowledged write. Changed only by compare-and-swap
 * (the shape is that of the configuration manager in PacificA, MSR-TR-2008-25). Kept in one Lease per machine, see {@link EpochLease}.
 *
 * @param epoch rises by exactly one with every change of {@code active}, {@code inSync} or {@code mode}
 * @param active the copy whose guest counts
 * @param inSync the copies that hold every acknowledged write; never empty. It need not contain the active: one whose own disk
 *     failed serves from its peer
 * @param mode how a failover resumes
 * @param nonce random word of the writer of this epoch: tells "my timed-out CAS landed" from "somebody else's did"
 * @param addresses where each mirror can be reached, {@code host:port}, best path first; no part of the epoch: a mirror may
 *     replace its own line without raising the epoch
 */
public record ArbiterRecord(
        Epoch epoch,
        CopyId active,
        SortedSet<CopyId> inSync,
        Mode mode,
        String nonce,
        SortedMap<CopyId, List<String>> addresses) {

    /**
     * The epoch that the operator's provisioning writes, before any mirror started: only under it may the active format blank
     * disks, for nothing can have been acknowledged yet.
     */
    public static final Epoch PROVISIONED = new Epoch(1);

    /** How a failover resumes the guest. */
    public enum Mode {
        /** Boot on the mirrored disk (levels 1 and 2). */
        HA,
        /** Resume at the last checkpoint (level 3). */
        FT
    }

    /** Copies the collections and checks that a started machine has an active that is in sync. */
    public ArbiterRecord {
        inSync = Collections.unmodifiableSortedSet(new TreeSet<>(inSync));
        TreeMap<CopyId, List<String>> copied = new TreeMap<>();
        addresses.forEach((copy, list) -> copied.put(copy, List.copyOf(list)));
        addresses = Collections.unmodifiableSortedMap(copied);
        if (epoch.value() < PROVISIONED.value()) {
            throw new IllegalArgumentException("an arbiter record starts at epoch " + PROVISIONED + ", got " + epoch);
        }
        if (inSync.isEmpty()) {
            throw new IllegalArgumentException("epoch " + epoch + " has no copy in sync");
        }
    }
}

package dev.pairvm.mirror.arbiter;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import java.util.function.Consumer;

/**
 * The record that says who is active and which copies are in sync. One instance per mirror, used from one event loop; every
 * callback runs on that loop, once, later than the call and within about two seconds of it (one request, or two where a refusal is
 * read again; each at most {@link LeaseArbiter#REQUEST_LIMIT_MILLIS}).
 */
public interface Arbiter extends AutoCloseable {
    /** Reads the newest record from a quorum of the store, no cache in between. */
    void read(Consumer<ReadResult> answer);

    /**
     * Replaces epoch, active, in-sync set, mode and nonce by those of {@code next} if the version still is {@code
     * expectedVersion}. Everything else in the store stays as it is: the addresses too, each mirror changes only its own. Sent at
     * most once.
     */
    void compareAndSwap(String expectedVersion, ArbiterRecord next, Consumer<CasResult> answer);

    /**
     * Makes this mirror's own addresses known, {@code host:port}, best path first; changes neither the epoch nor anything of
     * another mirror, and writes nothing if they are there already. A conflict is tried again a few times; if it does not end
     * {@link AnnounceResult.Announced}, call again later.
     */
    void announceAddresses(CopyId own, List<String> addresses, Consumer<AnnounceResult> answer);

    /** Lets the connection go; outstanding calls are answered as unreachable or unresolved. */
    @Override
    void close();
}

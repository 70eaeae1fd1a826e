package dev.pairvm.mirror.arbiter;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The record in a Lease of the API server. GET without {@code resourceVersion} is a quorum read; PUT with {@code
 * metadata.resourceVersion} is the compare-and-swap (etcd's transaction behind it: Kubernetes API conventions, "Concurrency
 * control and consistency"). A PUT is never repeated here.
 *
 * <p>The tree last seen is kept, because a PUT must carry the fields that are not ours; if the caller expects another version it is
 * read first, and a version that has moved since is a conflict without a PUT.
 */
public final class LeaseArbiter implements Arbiter {
    /** Longest wait for one request. */
    public static final int REQUEST_LIMIT_MILLIS = 1000;

    private static final int ANNOUNCE_ATTEMPTS = 4;
    private static final int MOST_ADDRESSES = 8;

    private final LeaseEndpoint endpoint;
    private @Nullable LeaseDocument lastSeen;

    /** The arbiter of the Lease {@code lease}; callbacks run on {@code context}, which must be an event-loop context. */
    public LeaseArbiter(Vertx vertx, Context context, KubernetesAccess access, String lease) {
        this(vertx, context, access, lease, REQUEST_LIMIT_MILLIS);
    }

    LeaseArbiter(Vertx vertx, Context context, KubernetesAccess access, String lease, long limitMillis) {
        this.endpoint = new LeaseEndpoint(vertx, context, access, lease, limitMillis);
    }

    @Override
    public void read(Consumer<ReadResult> answer) {
        get(lease -> answer.accept(lease.result()));
    }

    /** What a GET gave: a result, and the tree if there is one. */
    private record Got(ReadResult result, @Nullable LeaseDocument lease) {}

    private void get(Consumer<Got> answer) {
        endpoint.send(HttpMethod.GET, null, exchange -> answer.accept(got(exchange)));
    }

    private Got got(Exchange exchange) {
        return switch (exchange) {
            case Exchange.Answer(int status, byte[] body)
            when status == 200 -> {
                try {
                    LeaseDocument lease = LeaseDocument.parse(body);
                    lastSeen = lease;
                    yield new Got(lease.read(), lease);
                } catch (LeaseDocument.NotALeaseException e) {
                    yield new Got(new ReadResult.Malformed("the answer is no Lease: " + e.getMessage()), null);
                }
            }
            case Exchange.Answer(int status, byte[] body)
            when status == 404 && LeaseDocument.isNotFoundStatus(body) -> new Got(new ReadResult.Missing(), null);
            case Exchange.Answer refused -> new Got(new ReadResult.Unreachable(refused.describe()), null);
            case Exchange.NotSent(String why) -> new Got(new ReadResult.Unreachable(why), null);
            case Exchange.NoAnswer(String why) -> new Got(new ReadResult.Unreachable(why), null);
            case Exchange.TooLarge large -> new Got(new ReadResult.Malformed(large.describe()), null);
        };
    }

    @Override
    public void compareAndSwap(String expectedVersion, ArbiterRecord next, Consumer<CasResult> answer) {
        LeaseDocument seen = lastSeen;
        if (seen != null && seen.version().equals(expectedVersion)) {
            put(seen, next, answer);
            return;
        }
        get(got -> {
            LeaseDocument lease = got.lease();
            if (lease != null && lease.version().equals(expectedVersion)) {
                put(lease, next, answer);
                return;
            }
            answer.accept(
                    switch (got.result()) {
                        case ReadResult.Read now -> new CasResult.Conflict(now); // no store gives a version twice
                        case ReadResult.Missing() -> new CasResult.Missing();
                        case ReadResult.Malformed(String why) -> new CasResult.Unreachable(why);
                        case ReadResult.Unreachable(String why) -> new CasResult.Unreachable(why);
                    });
        });
    }

    private void put(LeaseDocument lease, ArbiterRecord next, Consumer<CasResult> answer) {
        endpoint.send(HttpMethod.PUT, lease.withRecord(next).toJson(), exchange -> {
            switch (exchange) {
                case Exchange.Answer(int status, byte[] body)
                when status == 200 -> answer.accept(confirmed(body, next));
                case Exchange.Answer refused
                when refused.status() == 409 ->
                    get(got -> answer.accept(
                            switch (got.result()) {
                                case ReadResult.Read now -> new CasResult.Conflict(now);
                                case ReadResult.Missing() -> new CasResult.Missing();
                                case ReadResult.Malformed(String why) -> new CasResult.Unresolved(why);
                                case ReadResult.Unreachable(String why) -> new CasResult.Unresolved(why);
                            }));
                case Exchange.Answer(int status, byte[] body)
                when status == 404 && LeaseDocument.isNotFoundStatus(body) -> answer.accept(new CasResult.Missing());
                case Exchange.Answer refused -> answer.accept(new CasResult.Unresolved(refused.describe()));
                case Exchange.NotSent(String why) -> answer.accept(new CasResult.Unreachable(why));
                case Exchange.NoAnswer(String why) -> answer.accept(new CasResult.Unresolved(why));
                case Exchange.TooLarge large -> answer.accept(new CasResult.Unresolved(large.describe()));
            }
        });
    }

    /** A 200 counts only if it shows this very change: an intermediary's page does not. */
    private CasResult confirmed(byte[] body, ArbiterRecord next) {
        try {
            LeaseDocument lease = LeaseDocument.parse(body);
            if (lease.read() instanceof ReadResult.Read now
                    && now.arbiter().epoch().equals(next.epoch())
                    && now.arbiter().nonce().equals(next.nonce())) {
                lastSeen = lease;
                return new CasResult.Applied(lease.version());
            }
            return new CasResult.Unresolved("API server answered 200 with another record");
        } catch (LeaseDocument.NotALeaseException e) {
            return new CasResult.Unresolved("API server answered 200, but the answer is no Lease: " + e.getMessage());
        }
    }

    @Override
    public void announceAddresses(CopyId own, List<String> addresses, Consumer<AnnounceResult> answer) {
        if (addresses.isEmpty() || addresses.size() > MOST_ADDRESSES) {
            throw new IllegalArgumentException(
                    "a mirror announces 1 to " + MOST_ADDRESSES + " addresses, got " + addresses.size());
        }
        announce(own, List.copyOf(addresses), ANNOUNCE_ATTEMPTS, answer);
    }

    private void announce(CopyId own, List<String> addresses, int attempts, Consumer<AnnounceResult> answer) {
        get(got -> {
            LeaseDocument lease = got.lease();
            if (lease == null) {
                answer.accept(new AnnounceResult.NotAnnounced(String.valueOf(got.result())));
                return;
            }
            LeaseDocument changed = lease.withAddresses(own, addresses);
            if (changed == lease) {
                answer.accept(new AnnounceResult.Announced());
                return;
            }
            endpoint.send(HttpMethod.PUT, changed.toJson(), exchange -> {
                if (exchange instanceof Exchange.Answer(int status, byte[] body) && status == 200) {
                    rememberIfLease(body);
                    answer.accept(new AnnounceResult.Announced());
                } else if (exchange instanceof Exchange.Answer refused && refused.status() == 409 && attempts > 1) {
                    announce(own, addresses, attempts - 1, answer);
                } else {
                    answer.accept(new AnnounceResult.NotAnnounced(
                            exchange instanceof Exchange.Answer refused ? refused.describe() : exchange.toString()));
                }
            });
        });
    }

    private void rememberIfLease(byte[] body) {
        try {
            lastSeen = LeaseDocument.parse(body);
        } catch (LeaseDocument.NotALeaseException e) {
            lastSeen = null;
        }
    }

    @Override
    public void close() {
        endpoint.close();
    }
}

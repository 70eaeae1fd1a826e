package dev.pairvm.mirror.arbiter;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One mirror's view of a record in this process, which can misbehave on demand; for tests and benchmarks of a pair in one JVM. */
public final class InMemoryArbiter implements Arbiter {
    private final Store store;
    private final Executor loop;
    private volatile Mood mood = Mood.NORMAL;

    /** A view of {@code store} whose callbacks run on {@code loop}. */
    public InMemoryArbiter(Store store, Executor loop) {
        this.store = store;
        this.loop = loop;
    }

    /** How this view behaves from now. */
    public enum Mood {
        NORMAL,
        /** Nothing leaves this host. */
        UNREACHABLE,
        /** Changes are applied, their answers lost. */
        LOSES_ANSWERS,
        /** Changes are lost on the way. */
        LOSES_REQUESTS
    }

    /** Changes the behaviour; any thread. */
    public void setMood(Mood mood) {
        this.mood = mood;
    }

    @Override
    public void read(Consumer<ReadResult> answer) {
        loop.execute(() -> answer.accept(
                mood == Mood.UNREACHABLE ? new ReadResult.Unreachable("cut off by the test") : store.read()));
    }

    @Override
    public void compareAndSwap(String expectedVersion, ArbiterRecord next, Consumer<CasResult> answer) {
        CasResult result = switch (mood) {
            case NORMAL -> store.compareAndSwap(expectedVersion, next);
            case UNREACHABLE -> new CasResult.Unreachable("cut off by the test");
            case LOSES_ANSWERS -> {
                store.compareAndSwap(expectedVersion, next);
                yield new CasResult.Unresolved("answer lost by the test");
            }
            case LOSES_REQUESTS -> new CasResult.Unresolved("request lost by the test");
        };
        loop.execute(() -> answer.accept(result));
    }

    @Override
    public void announceAddresses(CopyId own, List<String> addresses, Consumer<AnnounceResult> answer) {
        AnnounceResult result = mood == Mood.NORMAL && store.announce(own, addresses)
                ? new AnnounceResult.Announced()
                : new AnnounceResult.NotAnnounced("arbiter is " + mood);
        loop.execute(() -> answer.accept(result));
    }

    @Override
    public void close() {
        mood = Mood.UNREACHABLE;
    }

    /** The record, shared by the views of all mirrors; any thread. */
    public static final class Store {
        private @Nullable LeaseDocument lease;

        /** A store that holds {@code first}. */
        public Store(ArbiterRecord first) {
            lease = LeaseDocument.create("pairvm-test", "00000000-0000-4000-8000-000000000001", first);
        }

        /** What a read gives. */
        public synchronized ReadResult read() {
            return lease == null ? new ReadResult.Missing() : lease.read();
        }

        /** The object is gone, as if somebody had deleted it. */
        public synchronized void delete() {
            lease = null;
        }

        /** Somebody put this record there by hand, or from a backup; the object stays the same. */
        public synchronized void restore(ArbiterRecord record) {
            LeaseDocument now = lease;
            LeaseDocument first = LeaseDocument.create("pairvm-test", "00000000-0000-4000-8000-000000000001", record);
            lease = first.withVersion(after(now == null ? "1000000" : now.version()));
        }

        /** Applies or refuses. */
        public synchronized CasResult compareAndSwap(String expectedVersion, ArbiterRecord next) {
            if (lease == null) {
                return new CasResult.Missing();
            }
            if (!lease.version().equals(expectedVersion)) {
                return lease.read() instanceof ReadResult.Read now
                        ? new CasResult.Conflict(now)
                        : new CasResult.Unresolved("the record is malformed");
            }
            lease = lease.withRecord(next).withVersion(after(lease.version()));
            return new CasResult.Applied(lease.version());
        }

        synchronized boolean announce(CopyId own, List<String> addresses) {
            if (lease == null) {
                return false;
            }
            LeaseDocument changed = lease.withAddresses(own, addresses);
            if (changed != lease) {
                lease = changed.withVersion(after(lease.version()));
            }
            return true;
        }
    }

    static String after(String version) {
        return Long.toString(Long.parseLong(version) + 1);
    }
}

package dev.pairvm.mirror.nbd;

import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The places that a server has for clients. A client that is gone keeps its place until the backends have ended what it asked for:
 * otherwise one that asks, leaves and comes again, while a suspended machine answers nobody, would fill memory without bound. On the
 * event loop only.
 */
final class Places {
    private static final Logger LOG = LoggerFactory.getLogger(Places.class);

    /** An honest client chooses its export within milliseconds; one that takes this long gives way when all places are taken. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** Refusals are told only so often: they are a stranger's to make. */
    private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final int most;
    private final Set<Place> taken = new LinkedHashSet<>();
    private long toldAt;
    private long refused;

    Places(int most) {
        this.most = most;
    }

    /** One of the places; given back once. */
    final class Place {
        private final long since = System.nanoTime();
        private @Nullable NbdConnection connection;

        void isOf(NbdConnection client) {
            connection = client;
        }

        void leave() {
            taken.remove(this);
        }
    }

    boolean isFull() {
        return taken.size() >= most;
    }

    Place take() {
        Place place = new Place();
        taken.add(place);
        return place;
    }

    /** Whether somebody gave way. */
    boolean makeRoom() {
        long now = System.nanoTime();
        for (Place place : taken) {
            NbdConnection client = place.connection;
            if (client != null && client.isShakingHands() && now - place.since > PATIENCE_NANOS) {
                taken.remove(place);
                client.giveWay();
                return true;
            }
        }
        refused++;
        if (toldAt == 0 || now - toldAt > QUIET_NANOS) {
            LOG.warn("refused {} NBD clients so far: all {} places are taken", refused, most);
            toldAt = now;
        }
        return false;
    }
}

package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.link.LinkConfig;
import dev.pairvm.mirror.link.LinkListener;
import dev.pairvm.mirror.link.LinkSetupException;
import dev.pairvm.mirror.link.MonotonicClock;
import dev.pairvm.mirror.link.PeerAddress;
import dev.pairvm.mirror.link.PeerLink;
import dev.pairvm.mirror.link.StreamDesk;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The link as the engine uses it: frames and beacons in, frames and wishes out, word for word. On the event loop. */
final class LinkPort implements PeerPort, LinkListener, ReportWriter.LinkFacts {
    private static final Logger LOG = LoggerFactory.getLogger(LinkPort.class);

    private final Supplier<MirrorEngine> engine;
    private final LinkMeters meters;
    private final PeerLink link;
    private final TreeSet<CopyId> connected = new TreeSet<>();
    private Optional<CopyId> last = Optional.empty();
    private @Nullable PeerHealth peerHealth;

    /** What the peer's last beacon said of its loop and its disks; null before the first. */
    @Nullable
    PeerHealth peerHealth() {
        return peerHealth;
    }

    /** Told of what the link counts. */
    interface LinkMeters {
        void linkDown(CopyId peer, String cause);

        void linkRefused(String reason);
    }

    LinkPort(
            MirrorSettings settings,
            EventLoop loop,
            MonotonicClock clock,
            Supplier<MirrorEngine> engine,
            LinkMeters meters)
            throws LinkSetupException {
        this.engine = engine;
        this.meters = meters;
        this.link = new PeerLink(config(settings), settings.tls(), loop, clock, this);
    }

    private static LinkConfig config(MirrorSettings settings) {
        LinkConfig config = new LinkConfig(
                settings.config().machineUid(),
                settings.config().copy(),
                settings.config().link().port(),
                settings.config().timing().beaconMillis());
        return settings.plainLink() ? config.inTheClear() : config;
    }

    PeerLink link() {
        return link;
    }

    StreamDesk streams() {
        return link.streams();
    }

    /** Where this side is, for the peers that are connected already. */
    void announce(List<String> addresses) {
        link.announce(addresses.stream().map(PeerAddress::parse).toList());
    }

    /** Where the others are, by the arbiter record. An address that can not be read is passed over, with a warning. */
    void learn(ArbiterRecord arbiter) {
        Map<CopyId, List<PeerAddress>> known = new TreeMap<>();
        arbiter.addresses().forEach((copy, addresses) -> known.put(copy, readable(copy, addresses)));
        link.peers(known);
    }

    private static List<PeerAddress> readable(CopyId copy, List<String> addresses) {
        List<PeerAddress> readable = new ArrayList<>();
        for (String address : addresses) {
            try {
                readable.add(PeerAddress.parse(address));
            } catch (IllegalArgumentException e) {
                LOG.warn(
                        "address {} of copy {} in the arbiter record is passed over: {}",
                        address,
                        copy,
                        e.getMessage());
            }
        }
        return readable;
    }

    /** The loop came round; beacons carry its age, and that of the oldest local I/O: 0, or since when it waits. */
    void loopTicked(long oldestIoSince) {
        link.beacons().loopTicked();
        link.beacons().oldestIoSince(oldestIoSince);
        link.beacons().epoch(engine.get().epoch());
    }

    // ------------------------------------------------------------------------------------------------------------- out

    @Override
    public void send(CopyId to, Message message, @Nullable ByteBuf payload) {
        if (payload == null) {
            link.send(to, message);
        } else {
            link.send(to, message, payload.retainedDuplicate());
        }
    }

    @Override
    public boolean holdsFrames() {
        return link.holdsFrames();
    }

    @Override
    public void drop(CopyId from, String why) {
        link.drop(from, why);
    }

    @Override
    public void setBeacons(CopyId to, long session, boolean granting) {
        link.setBeacons(to, session, granting);
    }

    @Override
    public void stopGranting(LongConsumer lastHeardAt) {
        lastHeardAt.accept(link.beacons().stopGranting());
    }

    @Override
    public void stopBeacons() {
        link.beacons().stop();
    }

    // -------------------------------------------------------------------------------------------------------------- in

    @Override
    public void linkUp(PeerUp up) {
        LOG.info("link to copy {} is up, by {}", up.peer(), up.path());
        connected.add(up.peer());
        last = Optional.of(up.peer());
        engine.get()
                .post(new Event.LinkUp(up.peer(), up.answersReads(), up.verifies(), up.grows(), up.comparesPieces()));
    }

    @Override
    public void linkDown(CopyId from, Event.LinkDown.Cause cause, String why) {
        LOG.info("link to copy {} is down: {} ({})", from, why, cause);
        connected.remove(from);
        meters.linkDown(from, cause.name());
        engine.get().post(new Event.LinkDown(from, cause));
    }

    @Override
    public void messageReceived(CopyId from, Message message, @Nullable ByteBuf payload) {
        try {
            engine.get().postFrame(from, message, payload);
        } finally {
            if (payload != null) {
                payload.release();
            }
        }
    }

    @Override
    public void writabilityChanged(CopyId to, boolean writable) {
        // The core's window bounds what is under way; late acknowledgements slow the guest by themselves.
    }

    @Override
    public void beaconHeard(Event.BeaconHeard heard, PeerHealth health) {
        peerHealth = health;
        engine.get().postBeacon(heard);
    }

    @Override
    public void pathsChanged(CopyId to) {
        engine.get().reportChanged();
    }

    @Override
    public void refused(Refusal reason, String sentence) {
        // The link has told it, not too often: strangers must not fill the log.
        meters.linkRefused(reason.name());
    }

    // ----------------------------------------------------------------------------------------------------------- facts

    /** Of several the one that the record counts: a copy that joins, or one that was given up, may be connected as well. */
    @Override
    public Optional<CopyId> peer() {
        Optional<CopyId> counts = connected.stream().filter(this::counts).findFirst();
        if (counts.isPresent() || connected.isEmpty()) {
            return counts.or(() -> last);
        }
        return last.filter(connected::contains).or(() -> Optional.of(connected.first()));
    }

    private boolean counts(CopyId copy) {
        return engine.get()
                .view()
                .arbiter()
                .filter(now -> now.active().equals(copy) || now.inSync().contains(copy))
                .isPresent();
    }

    @Override
    public boolean connected() {
        return !connected.isEmpty();
    }

    /** Whether a copy that matters can not be reached: nobody is connected, or one that the record counts is not. */
    boolean misses(CopyId self) {
        return connected.isEmpty()
                || engine.get()
                        .view()
                        .arbiter()
                        .filter(now -> isMissing(now.active(), self)
                                || now.inSync().stream().anyMatch(copy -> isMissing(copy, self)))
                        .isPresent();
    }

    private boolean isMissing(CopyId copy, CopyId self) {
        return !copy.equals(self) && !connected.contains(copy);
    }

    @Override
    public Optional<Long> roundTripMicros() {
        return peer().flatMap(copy -> {
            var nanos = link.roundTripNanos(copy);
            return nanos.isPresent() ? Optional.of(nanos.getAsLong() / 1000) : Optional.<Long>empty();
        });
    }

    @Override
    public List<String> pathsUp() {
        return peer().map(link::pathsUp).orElse(List.of());
    }
}

package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.arbiter.AnnounceResult;
import dev.pairvm.mirror.arbiter.Arbiter;
import dev.pairvm.mirror.arbiter.ReadResult;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.net.SocketException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How the mirrors of a machine find each other without operator and DNS: each writes its own addresses into the arbiter's record when
 * it starts, and reads the others' there as long as it has no link to one that counts. Nothing is read or written while the pair is
 * connected.
 */
final class Meeting {
    private static final Logger LOG = LoggerFactory.getLogger(Meeting.class);
    /** Pace of looking for a peer, and of announcing again what could not be announced. */
    private static final long LOOK_MILLIS = 500;
    /** While nobody is missing, this side's own addresses are looked at every so many times only. */
    private static final int IDLE_LOOKS = 10;

    private final MirrorSettings settings;
    private final EventLoop loop;
    private final Arbiter arbiter;
    private final LinkPort link;
    private List<String> announced = List.of();
    private boolean announcing;
    private boolean reading;
    private int looks;

    Meeting(MirrorSettings settings, EventLoop loop, Arbiter arbiter, LinkPort link) {
        this.settings = settings;
        this.loop = loop;
        this.arbiter = arbiter;
        this.link = link;
    }

    /** Opens the link's port. */
    Future<Integer> listen() {
        return link.link().listen();
    }

    /** Announces, and looks for the peer, from now on. */
    void begin() {
        look();
        loop.scheduleAtFixedRate(this::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look() {
        boolean missing = link.misses(settings.config().copy());
        looks++;
        if (missing || announced.isEmpty() || looks % IDLE_LOOKS == 0) {
            announceIfChanged();
        }
        if (!reading && missing) {
            reading = true;
            arbiter.read(answer -> {
                reading = false;
                if (answer instanceof ReadResult.Read read) {
                    link.learn(read.arbiter());
                }
            });
        }
    }

    private void announceIfChanged() {
        List<String> own;
        try {
            own = OwnAddresses.of(settings.config().link(), settings.podAddress());
        } catch (SocketException e) {
            LOG.warn("this pod's interfaces can not be listed, the peer can not be told where to connect", e);
            return;
        }
        if (announcing || own.isEmpty() || own.equals(announced)) {
            return;
        }
        announcing = true;
        link.announce(own);
        arbiter.announceAddresses(settings.config().copy(), own, answer -> {
            announcing = false;
            switch (answer) {
                case AnnounceResult.Announced() -> {
                    LOG.info("announced {}", own);
                    announced = own;
                }
                case AnnounceResult.NotAnnounced(String why) -> LOG.info("addresses not announced yet: {}", why);
            }
        });
    }
}

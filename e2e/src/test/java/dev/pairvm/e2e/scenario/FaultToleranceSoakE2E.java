package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.cluster.Cluster.Network;
import dev.pairvm.e2e.guest.Distribution;
import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.scenario.ScenarioWorld.Processes;
import io.fabric8.kubernetes.api.model.Pod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A protected machine is hit again and again, in every way and at any moment: at rest, while its twin starts, while overlays are committed,
 * while a copy is resynced. {@code -Dpairvm.kills=50}; {@code -Dpairvm.seed=N} hits in the same order after the same waits.
 */
@Tag("long")
class FaultToleranceSoakE2E extends FtScenario {
    private static final int KILLS = Integer.getInteger("pairvm.kills", 6);
    private static final long SEED = Long.getLong("pairvm.seed", System.nanoTime());

    /** Before a hit, when it is to come at rest. */
    private static final int MOST_REST_MILLIS = 2000;
    /** The same, after the world was mended, when it is to come while the pair recovers. */
    private static final int MOST_RECOVERY_MILLIS = 12_000;

    private static final int LEAST_BROKEN_MILLIS = 1000;
    private static final int MOST_BROKEN_MILLIS = 4000;

    /** What is hit. */
    private enum Hit {
        ACTIVE_NODE,
        STANDBY_NODE,
        LINK,
        MIRROR,
        QEMU,
        FROZEN_NODE
    }

    /** What the hits of one kind came to. */
    private static final class Tally {
        private final Distribution atRest = new Distribution();
        private final Distribution recovering = new Distribution();
        private long lostAtRest;
        private long lostRecovering;

        @Override
        public String toString() {
            return "protected: " + lostAtRest + " connections lost, gaps " + atRest + "; not protected: "
                    + lostRecovering + " lost, gaps " + recovering;
        }
    }

    private final SplittableRandom random = new SplittableRandom(SEED);
    private final Tally whole = new Tally();
    private final Map<Hit, Tally> byHit = new EnumMap<>(Hit.class);

    @Test
    @DisplayName(
            "hit in every way at any moment: what was protected loses no connection, and nothing acknowledged is ever lost")
    void hitAgainAndAgain() throws Exception {
        log.info("seed {}, {} hits", SEED, KILLS);
        try (TwinDiary diary = new TwinDiary(world().cluster().client(), machine())) {
            List<Hit> bag = new ArrayList<>();
            for (int n = 1; n <= KILLS; n++) {
                if (bag.isEmpty()) {
                    bag.addAll(Arrays.asList(Hit.values()));
                }
                one(n, bag.remove(random.nextInt(bag.size())));
                log.info("after {} hits: {}; {}", n, whole, diary.summary());
            }
            awaitProtected(PROTECTED_LIMIT);
            byHit.forEach((hit, tally) -> log.info("{}: {}", hit, tally));
            log.info(
                    "seed {}, {} hits: {}; {}; {}",
                    SEED,
                    KILLS,
                    whole,
                    diary.summary(),
                    clients().summary());
        }
        assertThat(whole.lostAtRest)
                .as("connections lost by hits on a protected machine")
                .isZero();
        assertThat(whole.atRest.max()).as("longest gap of them").isLessThan(GAP_LIMIT.multipliedBy(2));
        assertOnlyRestarted();
    }

    private void one(int n, Hit hit) throws Exception {
        if (random.nextInt(2) == 0) {
            awaitProtected(PROTECTED_LIMIT);
            Thread.sleep(random.nextInt(MOST_REST_MILLIS));
        } else {
            Thread.sleep(random.nextInt(MOST_RECOVERY_MILLIS));
        }
        awaitHeard();
        loadMemory();
        Pair pair = awaitPair();
        Machine.Arbiter before = machine().arbiter();
        boolean isRedundant = before.inSync().size() == 2;
        boolean isProtected = isRedundant && before.mode().equals("FT");
        String state = twinOfActive().path("state").asText("unknown");
        long lost = clients().connectionsLost();
        clients().mark();
        Thread.sleep(10);

        Runnable mend = strike(hit, pair);
        Thread.sleep(random.nextInt(LEAST_BROKEN_MILLIS, MOST_BROKEN_MILLIS));
        // Half of the time hosts come back at once; the other half somebody must go on without them, where there is
        // anybody who may.
        if (random.nextInt(2) == 0 && isRedundant) {
            awaitHeard();
        }
        mend.run();
        awaitHeard();
        awaitLogRuns(BOOT_LIMIT);
        Duration gap = clients().gap();
        long more = clients().connectionsLost() - lost;
        log.info(
                "hit {}: {} with the twin {}, record {}: {}; {} connections lost",
                n,
                hit,
                state,
                before,
                clients().gaps(),
                more);
        logTransition();
        for (Tally tally : List.of(whole, byHit.computeIfAbsent(hit, h -> new Tally()))) {
            (isProtected ? tally.atRest : tally.recovering).add(gap);
            if (isProtected) {
                tally.lostAtRest += more;
            } else {
                tally.lostRecovering += more;
            }
        }
        assertThat(clients().faults()).as("what a guest may never send").isEmpty();
        if (isProtected) {
            assertMemoryIsRight();
        }
        assertNothingLost();
    }

    /** Nodes of the active and of the other copy, by the arbiter and the pods: the status may be a moment behind. */
    private record Pair(String active, String standby) {}

    private Pair awaitPair() {
        return Awaitility.await("a pair of pods")
                .atMost(WHOLE_LIMIT)
                .ignoreExceptions()
                .until(
                        () -> {
                            String active = machine().arbiter().active();
                            Map<String, Pod> pods = mirrors().pods();
                            return new Pair(
                                    nodeOf(pods.get(active)),
                                    pods.entrySet().stream()
                                            .filter(pod -> !pod.getKey().equals(active))
                                            .map(pod -> nodeOf(pod.getValue()))
                                            .findFirst()
                                            .orElse(""));
                        },
                        pair -> !pair.active().isEmpty() && !pair.standby().isEmpty());
    }

    private static String nodeOf(@Nullable Pod pod) {
        return pod == null || pod.getSpec().getNodeName() == null
                ? ""
                : pod.getSpec().getNodeName();
    }

    /** Hits, and returns what mends it. */
    private Runnable strike(Hit hit, Pair pair) {
        String active = pair.active();
        String standby = pair.standby();
        return switch (hit) {
            case ACTIVE_NODE -> killed(active);
            case STANDBY_NODE -> killed(standby);
            case LINK -> {
                world().cut(standby, Network.MIRROR);
                world().cut(standby, Network.PEERS);
                yield () -> {
                    world().heal(standby, Network.PEERS);
                    world().heal(standby, Network.MIRROR);
                };
            }
            case MIRROR -> {
                world().kill(active, Processes.MIRROR);
                yield () -> {};
            }
            case QEMU -> {
                world().kill(active, Processes.QEMU);
                yield () -> {};
            }
            case FROZEN_NODE -> {
                world().freezeNode(active);
                yield () -> world().thawNode(active);
            }
        };
    }

    private Runnable killed(String node) {
        world().killNode(node);
        return () -> world().startNode(node);
    }
}

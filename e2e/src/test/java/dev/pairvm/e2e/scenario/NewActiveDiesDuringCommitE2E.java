package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The active's host dies, and the new active's right after it: part of what was acknowledged is in the overlays alone. */
@Tag("long")
class NewActiveDiesDuringCommitE2E extends FtScenario {
    private static final Duration WAITED_IN_VAIN = Duration.ofSeconds(15);

    @Test
    @DisplayName(
            "the new active's host comes back first: it recovers its overlays and boots; nothing acknowledged is lost")
    void newActiveReturnsFirst() throws Exception {
        Deaths deaths = bothDie();
        world().startNode(deaths.second());
        awaitLogRuns(CREATE_LIMIT);
        assertOnlyRestarted();
        world().startNode(deaths.first());
        awaitProtected(PROTECTED_LIMIT);
        assertOnlyRestarted();
    }

    @Test
    @DisplayName("the old active's host comes back first: it may not start, for its disk is behind")
    void oldActiveReturnsFirst() throws Exception {
        Deaths deaths = bothDie();
        world().startNode(deaths.first());
        boolean mayStart = deaths.record().inSync().contains(deaths.oldActive());
        if (!mayStart) {
            long announced = watcher().announced();
            Thread.sleep(WAITED_IN_VAIN);
            assertThat(watcher().announced())
                    .as("nobody runs who does not hold every acknowledged write")
                    .isEqualTo(announced);
        }
        world().startNode(deaths.second());
        awaitLogRuns(CREATE_LIMIT);
        assertOnlyRestarted();
        awaitProtected(PROTECTED_LIMIT);
        assertOnlyRestarted();
    }

    /**
     * @param first node that died first
     * @param second node that died then
     * @param oldActive copy on the first
     * @param record as it stood when both were dead
     */
    private record Deaths(String first, String second, String oldActive, Machine.Arbiter record) {}

    private Deaths bothDie() throws InterruptedException {
        // The longer the way from one checkpoint to the next, the more is in the overlays.
        machine().patchSpec("{\"checkpoint\":{\"maxInterval\":\"5s\"}}");
        awaitProtected(PROTECTED_LIMIT);
        Machine.Arbiter before = machine().arbiter();
        Map<String, String> nodes = mirrors().pods().entrySet().stream()
                .collect(Collectors.toMap(
                        Map.Entry::getKey, pod -> pod.getValue().getSpec().getNodeName()));
        String first = Objects.requireNonNull(nodes.get(before.active()));
        String second = machine().standbyNode();

        world().killNode(first);
        Awaitility.await("another active than " + before.active())
                .atMost(TAKE_OVER_LIMIT)
                .pollInterval(Duration.ofMillis(5))
                .ignoreExceptions()
                .until(() -> !machine().arbiter().active().equals(before.active()));
        // At once: a commit takes less than a report.
        world().killNode(second);
        Machine.Arbiter record = machine().arbiter();
        log.info("both hosts are dead; the record says {}", record);
        return new Deaths(first, second, before.active(), record);
    }
}

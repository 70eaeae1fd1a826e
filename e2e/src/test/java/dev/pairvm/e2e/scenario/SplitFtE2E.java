package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.cluster.Cluster.Network;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The mirrors of a protected machine can not hear each other, and both guests live. The arbiter decides, for those who reach it. */
@Tag("long")
class SplitFtE2E extends FtScenario {
    private static final Duration SPLIT = Duration.ofSeconds(6);

    @Test
    @DisplayName("both reach the API: one goes on, the other is silent")
    void bothReachTheApi() throws Exception {
        split(List.of());
        assertNobodyNoticed();
    }

    @Test
    @DisplayName("only the active reaches the API: it goes on alone")
    void onlyTheActiveReachesTheApi() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        split(List.of(machine().standbyNode()));
        assertThat(machine().arbiter().active()).isEqualTo(before.active());
        assertNobodyNoticed();
    }

    @Test
    @DisplayName("only the standby reaches the API: the twin goes on, the old active is silent first")
    void onlyTheStandbyReachesTheApi() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        split(List.of(machine().activeNode()));
        assertThat(machine().arbiter().active()).isNotEqualTo(before.active());
        assertNobodyNoticed();
    }

    @Test
    @DisplayName("neither reaches the API: both wait, and the machine goes on when one does; no connection breaks")
    void neitherReachesTheApi() throws Exception {
        split(List.of(machine().activeNode(), machine().standbyNode()));
        assertNobodyNoticed();
    }

    private void split(List<String> withoutApi) throws Exception {
        String standby = machine().standbyNode();
        // Where nobody may decide, the silence lasts until somebody may.
        Duration limit = withoutApi.size() == 2 ? SPLIT.plus(GAP_LIMIT).plus(GAP_LIMIT) : GAP_LIMIT;
        assertOneVoice(() -> {
            clients().mark();
            for (String node : withoutApi) {
                world().cut(node, Network.API);
            }
            world().cut(standby, Network.MIRROR);
            world().cut(standby, Network.PEERS);
            Thread.sleep(SPLIT);
            for (String node : withoutApi) {
                world().heal(node, Network.API);
            }
            awaitHeard();
            assertShortGap("split, without the API: " + withoutApi, limit);
            log.info("the record says {}", machine().arbiter());
            world().heal(standby, Network.PEERS);
            world().heal(standby, Network.MIRROR);
            awaitProtected(PROTECTED_LIMIT);
        });
    }
}

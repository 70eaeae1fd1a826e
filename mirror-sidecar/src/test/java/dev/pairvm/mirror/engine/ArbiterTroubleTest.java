package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.A;
import static dev.pairvm.mirror.engine.MirrorPair.B;
import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.core.Role;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole mirrors whose record was rolled back or deleted: nobody decides anything on it, and a human's record is taken. */
class ArbiterTroubleTest {
    @TempDir
    Path dir;

    private @SuppressWarnings("NullAway.Init") MirrorPair pair;

    @BeforeEach
    void startPair() throws Exception {
        pair = new MirrorPair(MirrorPair.folder(dir.resolve("a")), MirrorPair.folder(dir.resolve("b")));
        pair.write(pair.a, 0, MirrorPair.pattern(1, 50_000));
    }

    @AfterEach
    void stop() throws Exception {
        pair.close();
    }

    private static ArbiterRecord byHand(long epoch, CopyId active, CopyId... inSync) {
        return new ArbiterRecord(
                new Epoch(epoch),
                active,
                new TreeSet<>(Arrays.asList(inSync)),
                ArbiterRecord.Mode.HA,
                "by-hand-" + epoch,
                new TreeMap<>());
    }

    private List<Problem.Kind> problems(MirrorPair.Side side) throws Exception {
        return pair.view(side).problems().stream().map(Problem::kind).toList();
    }

    private void cut() throws Exception {
        pair.onLoop(() -> pair.link.cut(Event.LinkDown.Cause.LOST));
    }

    @Test
    void aRestoredRecordStopsNothingAndDecidesNothing() throws Exception {
        pair.store.restore(byHand(2, A, A));
        pair.write(pair.a, 0, MirrorPair.pattern(2, 50_000));
        assertThat(pair.view(pair.a).role()).as("a pair needs no arbiter").isEqualTo(Role.ACTIVE);

        cut();
        await("the active sees it").atMost(LIMIT).until(() -> problems(pair.a).contains(Problem.Kind.ARBITER_ROLLBACK));
        await("so does the standby")
                .atMost(LIMIT)
                .until(() -> problems(pair.b).contains(Problem.Kind.ARBITER_ROLLBACK));
        pair.awaitRole(pair.a, Role.SUSPENDED);
        assertThat(pair.view(pair.b).role()).isEqualTo(Role.IDLE);
        assertThat(pair.record().epoch().value()).as("nobody wrote").isEqualTo(2);

        pair.onLoop(pair.link::connect);
        pair.awaitRole(pair.a, Role.ACTIVE);
        pair.write(pair.a, 0, MirrorPair.pattern(3, 50_000));
    }

    @Test
    void aHumansRecordAboveEveryEpochIsTaken() throws Exception {
        pair.store.restore(byHand(2, A, A));
        cut();
        pair.awaitRole(pair.a, Role.SUSPENDED);

        pair.store.restore(byHand(50, B, B));
        pair.awaitRole(pair.b, Role.ACTIVE);
        assertThat(pair.read(pair.b, 0, 50_000)).isEqualTo(MirrorPair.pattern(1, 50_000));
        pair.awaitRole(pair.a, Role.IDLE);
        for (MirrorPair.Side side : List.of(pair.a, pair.b)) {
            await("the problem is over")
                    .atMost(LIMIT)
                    .until(() -> !problems(side).contains(Problem.Kind.ARBITER_ROLLBACK));
        }
    }

    @Test
    void aDeletedRecordDecidesNothing() throws Exception {
        pair.store.delete();
        cut();
        await("the active says so").atMost(LIMIT).until(() -> problems(pair.a).contains(Problem.Kind.ARBITER_LOST));
        await("so does the standby").atMost(LIMIT).until(() -> problems(pair.b).contains(Problem.Kind.ARBITER_LOST));
        pair.awaitRole(pair.a, Role.SUSPENDED);
        assertThat(pair.view(pair.b).role()).isEqualTo(Role.IDLE);
    }
}

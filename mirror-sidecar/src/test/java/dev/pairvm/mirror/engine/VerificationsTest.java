package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.mirror.MirrorReport.VerifyState;
import dev.pairvm.mirror.control.OrderDesk.Outcome;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Orders of verifications, and what is reported of each, over two whole mirrors on real files. */
class VerificationsTest {
    @TempDir
    Path dir;

    private static MirrorConfig config(MirrorConfig.Disk disk) {
        return new MirrorConfig(
                "m",
                "uid-1",
                "ns",
                MirrorPair.A,
                "pairvm-m",
                List.of(disk),
                MirrorConfig.Timing.DEFAULT,
                MirrorConfig.SlowPeer.DEGRADE,
                new MirrorConfig.Link(0, List.of()),
                new MirrorConfig.Guest(
                        new MirrorConfig.Cpu(1, 1, 1, "max"),
                        64,
                        "q35",
                        new MirrorConfig.Firmware(false, "", Optional.empty()),
                        List.of(),
                        Optional.empty(),
                        false,
                        Optional.empty(),
                        MirrorConfig.OnCrash.STOP,
                        30),
                true);
    }

    @Test
    void oneReportIsNeverOfTwoVerifications() throws Exception {
        MirrorConfig.Disk disk = MirrorPair.folder(dir.resolve("a"));
        try (MirrorPair pair = new MirrorPair(disk, MirrorPair.folder(dir.resolve("b")))) {
            Verifications verifications = new Verifications(config(disk), pair.a.engine(), InstantSource.system());
            List<MirrorReport.Verify> reports = new CopyOnWriteArrayList<>();
            pair.changedAtA = () -> verifications.report(pair.a.engine().view()).ifPresent(reports::add);
            pair.write(pair.a, 0, MirrorPair.pattern(1, 4 << 20));

            for (String id : List.of("first", "second")) {
                MirrorOrder.Verify order = new MirrorOrder.Verify(new Epoch(1), id);
                assertThat(take(pair, verifications, order)).isEqualTo(new Outcome.Begun());
                assertThat(take(pair, verifications, new MirrorOrder.Verify(new Epoch(1), "another")))
                        .as("one at a time")
                        .isEqualTo(new Outcome.Begun());
                await("the verification ends")
                        .atMost(LIMIT)
                        .until(() -> reports.getLast().id().equals(id)
                                && reports.getLast().state() == VerifyState.COMPLETE);
                assertThat(take(pair, verifications, order)).isEqualTo(new Outcome.Done());
            }
            for (String id : List.of("first", "second")) {
                List<MirrorReport.Verify> mine = reports.stream()
                        .filter(report -> report.id().equals(id))
                        .toList();
                assertThat(mine.stream().map(MirrorReport.Verify::startedAt).distinct())
                        .hasSize(1);
                assertThat(mine.stream().map(MirrorReport.Verify::bytesCompared).toList())
                        .as("progress of %s", id)
                        .isSorted();
            }
        }
    }

    private static Outcome take(MirrorPair pair, Verifications verifications, MirrorOrder.Verify order)
            throws Exception {
        return pair.loop()
                .submit(() -> verifications.take(order, pair.a.engine().view()))
                .get();
    }
}

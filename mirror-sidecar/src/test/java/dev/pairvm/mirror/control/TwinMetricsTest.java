package dev.pairvm.mirror.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.mirror.MirrorReport.TwinState;
import io.prometheus.client.CollectorRegistry;
import org.junit.jupiter.api.Test;

class TwinMetricsTest {
    private final CollectorRegistry registry = new CollectorRegistry();
    private final TwinMetrics metrics = new TwinMetrics(registry);

    private static MirrorReport.Twin twin(
            TwinState state, long started, long failed, long checkpoints, long early, long pauseMicros) {
        return new MirrorReport.Twin(
                true,
                new MirrorConfig.Checkpoint(500, 200, 500),
                state,
                "",
                started,
                failed,
                checkpoints,
                early,
                10_000,
                30_000,
                pauseMicros,
                250);
    }

    private double value(String name) {
        return registry.getSampleValue("pairvm_mirror_twin_" + name);
    }

    private double checkpoints(String cause) {
        return registry.getSampleValue(
                "pairvm_mirror_twin_checkpoints_total", new String[] {"cause"}, new String[] {cause});
    }

    private double state(TwinState state) {
        return registry.getSampleValue("pairvm_mirror_twin_state", new String[] {"state"}, new String[] {state.name()});
    }

    @Test
    void aSideThatCanHaveNoTwinHasNoSeries() {
        assertThat(registry.metricFamilySamples().hasMoreElements()).isFalse();
    }

    @Test
    void showsWhatTheReportSays() {
        metrics.show(twin(TwinState.RUNNING, 1, 0, 10, 4, 120_000));

        assertThat(state(TwinState.RUNNING)).isEqualTo(1);
        assertThat(state(TwinState.NONE)).isZero();
        assertThat(value("wished")).isEqualTo(1);
        assertThat(value("starts_total")).isEqualTo(1);
        assertThat(value("failures_total")).isZero();
        assertThat(checkpoints("early")).isEqualTo(4);
        assertThat(checkpoints("interval")).isEqualTo(6);
        assertThat(value("checkpoint_pause_seconds_total")).isCloseTo(0.12, within(1e-9));
        assertThat(value("checkpoint_longest_pause_seconds")).isEqualTo(0.03);
        assertThat(value("checkpoint_age_seconds")).isEqualTo(0.25);
        assertThat(value("checkpoint_pause_limit_seconds")).isEqualTo(0.2);
        assertThat(value("checkpoint_interval_limit_seconds")).isEqualTo(0.5);
    }

    @Test
    void countersGoOnWithTheNextTwin() {
        metrics.show(twin(TwinState.RUNNING, 1, 0, 10, 4, 120_000));
        metrics.show(twin(TwinState.RUNNING, 1, 0, 12, 4, 150_000));
        metrics.show(twin(TwinState.NONE, 1, 1, 12, 4, 150_000));
        assertThat(value("checkpoint_age_seconds")).as("no twin, no age").isZero();
        metrics.show(twin(TwinState.STARTING, 2, 1, 0, 0, 0));
        metrics.show(twin(TwinState.RUNNING, 2, 1, 3, 1, 50_000));

        assertThat(checkpoints("early")).isEqualTo(5);
        assertThat(checkpoints("interval")).isEqualTo(10);
        assertThat(value("checkpoint_pause_seconds_total")).isCloseTo(0.2, within(1e-9));
        assertThat(value("starts_total")).isEqualTo(2);
        assertThat(value("failures_total")).isEqualTo(1);
    }

    @Test
    void aNextTwinThatIsAlreadyFurtherThanTheLastIsCountedWhole() {
        metrics.show(twin(TwinState.RUNNING, 1, 0, 10, 4, 120_000));
        metrics.show(twin(TwinState.RUNNING, 2, 0, 15, 5, 130_000));

        assertThat(checkpoints("early") + checkpoints("interval")).isEqualTo(25);
        assertThat(value("checkpoint_pause_seconds_total")).isCloseTo(0.25, within(1e-9));
    }
}

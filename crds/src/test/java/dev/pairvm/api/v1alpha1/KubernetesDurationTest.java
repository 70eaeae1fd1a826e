package dev.pairvm.api.v1alpha1;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KubernetesDurationTest {
    @ParameterizedTest
    @CsvSource({"400ms,400", "0s,0", "1m30s,90000", "999999h,3599996400000", "2h,7200000", "1s500ms,1500"})
    void reads(String text, long millis) {
        assertThat(KubernetesDuration.parse(text)).isEqualTo(Duration.ofMillis(millis));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 480, 1_000, 1_500, 59_999, 60_000, 90_000, 3_600_000, 3_661_000, 86_400_000})
    void whatItWritesItReads(long millis) {
        Duration duration = Duration.ofMillis(millis);

        assertThat(KubernetesDuration.parse(KubernetesDuration.format(duration)))
                .isEqualTo(duration);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "400",
                "ms",
                "-1s",
                "1d",
                "1 s",
                "1e3s",
                "1.5h",
                "1.5ms",
                "1..5s",
                "١s",
                "9999999h",
                "1s1s1s1s1s",
                "PT1S"
            })
    void refusesWhatIsNoDuration(String text) {
        assertThatThrownBy(() -> KubernetesDuration.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aLongTextIsNotRepeatedWhole() {
        assertThatThrownBy(() -> KubernetesDuration.parse("x".repeat(100_000)))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(200));
    }
}

package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class MirrorSettingsTest {
    private static final Optional<Path> FILE = Optional.of(Path.of("lease.json"));

    @Test
    void aRealMachinesLinkIsNeverInTheClear() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MirrorSettings.checkPlainLink(true, false, Optional.empty()))
                .withMessageContaining("--plain-link")
                .withMessageContaining("--disks-only");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MirrorSettings.checkPlainLink(true, true, Optional.empty()));
        assertThatIllegalArgumentException().isThrownBy(() -> MirrorSettings.checkPlainLink(true, false, FILE));
        assertThatNoException().isThrownBy(() -> MirrorSettings.checkPlainLink(true, true, FILE));
        assertThatNoException().isThrownBy(() -> MirrorSettings.checkPlainLink(false, false, Optional.empty()));
    }
}

package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PeerAddressTest {
    @Test
    void literalAddressesAreRead() {
        assertThat(PeerAddress.parse("10.1.2.3:7400")).isEqualTo(new PeerAddress("10.1.2.3", 7400));
        assertThat(PeerAddress.parse("[fd00::3]:7400")).hasToString("[fd00::3]:7400");
        assertThat(PeerAddress.parse("[fd00::3]:7400").inet().getHostAddress()).startsWith("fd00:");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ":",
                "10.1.2.3",
                "10.1.2.3:",
                "10.1.2.3:0",
                "10.1.2.3:65536",
                "10.1.2.3:-1",
                "peer.example:7400",
                "fd00::3:7400",
                "[fd00::3]",
                "10.1.2.3:7400:1",
                "10.1.2.3:74 00"
            })
    void othersAreRefused(String text) {
        assertThatThrownBy(() -> PeerAddress.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }
}

package dev.pairvm.testing;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class KubeBinariesTest {
    @Test
    void whatIsMissingIsNamedWithTheWayToGetIt() {
        assertThatThrownBy(() -> KubeBinaries.find("kube-nothing"))
                .hasMessageContaining("kube-nothing")
                .hasMessageContaining("make deps")
                .hasMessageContaining("PAIRVM_KUBE_BIN");
    }
}

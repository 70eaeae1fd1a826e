package dev.pairvm.mirror.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.api.mirror.MirrorConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's side of the gate, with real frames. */
@EnabledIf("dev.pairvm.mirror.network.PodNamespace#isPossible")
class GateTest {
    private static final String GUEST_IP = "10.9.0.77";
    private static final long LEASE_NANOS = TimeUnit.MILLISECONDS.toNanos(400);
    private static final LongSupplier CLOCK = System::nanoTime;

    @TempDir
    Path directory;

    private PodNamespace pod;
    private PodNetwork network;
    private Gate gate;
    private TapGuest guest;

    @BeforeEach
    void anActiveWithAGuest() throws Exception {
        pod = new PodNamespace();
        network = new PodNetwork(
                List.of(new MirrorConfig.Interface(
                        "lan", TapGuest.MAC, MirrorConfig.Binding.BRIDGE, "eth0", List.of())),
                Optional.empty(),
                Set.of(7400),
                directory.resolve("network.json"));
        gate = pod.in(() -> {
            network.prepare();
            network.attach();
            return network.gate(CLOCK);
        });
        guest = pod.in(() -> new TapGuest(new PodNamespace.TapEnd("pvtap0"), GUEST_IP));
    }

    @AfterEach
    void cleanUp() throws Exception {
        guest.close();
        gate.close();
        network.close();
        pod.close();
    }

    @Test
    void isShutUntilItIsOpened() throws Exception {
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isFalse();
        assertThat(guest.reaches(PodNamespace.POD_IP, 200))
                .as("the pod itself must not hear the guest either")
                .isFalse();
        gate.renew(CLOCK.getAsLong() + LEASE_NANOS);
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isTrue();
        assertThat(guest.reaches(PodNamespace.POD_IP, 100)).isTrue();
    }

    @Test
    void shutsByItselfWhenNobodyRenewsIt() throws Exception {
        gate.renew(CLOCK.getAsLong() + LEASE_NANOS);
        long renewed = System.nanoTime();
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isTrue();
        while (guest.reaches(PodNamespace.OUTSIDE_IP, 40)) {
            assertThat(System.nanoTime() - renewed).as("open after its lease").isLessThan(2 * LEASE_NANOS);
        }
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isFalse();
    }

    @Test
    void staysOpenAsLongAsItIsRenewed() throws Exception {
        for (int i = 0; i < 15; i++) {
            gate.renew(CLOCK.getAsLong() + LEASE_NANOS);
            assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300))
                    .as("renewal %d", i)
                    .isTrue();
            assertThat(guest.receiveUdp(1, 60)).as("lets time pass").isEmpty();
        }
    }

    @Test
    void shutsAtOnceInBothDirections() throws Exception {
        gate.openUnlimited();
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isTrue();
        askFromOutside();
        assertThat(guest.isAsked(300))
                .as("the network's question reaches the guest")
                .isTrue();
        gate.shut();
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 200)).isFalse();
        assertThat(guest.isAsked(0)).isFalse();
        askFromOutside();
        assertThat(guest.isAsked(200)).isFalse();
    }

    /** The network's neighbour table is emptied first, so that it asks with a broadcast. */
    private void askFromOutside() throws Exception {
        pod.outside("ip", "neigh", "flush", "dev", "out0");
        pod.outside("bash", "-c", "echo hello > /dev/udp/" + GUEST_IP + "/9");
    }

    @Test
    void openedWithoutEndItOutlivesTheLeaseAndTheProcess() throws Exception {
        gate.renew(CLOCK.getAsLong() + LEASE_NANOS);
        gate.openUnlimited();
        gate.close();
        assertThat(guest.receiveUdp(1, 600)).as("lets the lease pass").isEmpty();
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isTrue();
    }

    @Test
    void aTimeThatHasPassedShutsIt() throws Exception {
        gate.openUnlimited();
        gate.renew(CLOCK.getAsLong() - 1);
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 200)).isFalse();
    }

    @Test
    void aTimeoutTooShortForTheKernelsClockIsNotForEver() throws Exception {
        gate.renew(CLOCK.getAsLong() + TimeUnit.MILLISECONDS.toNanos(1));
        assertThat(pod.pod("nft", "list", "set", "bridge", "pairvm", "open")).doesNotContain("pvtap0");
    }

    @Test
    void aRestartedMirrorLeavesItOpen() throws Exception {
        gate.openUnlimited();
        pod.in(() -> {
            network.prepare();
            return "";
        });
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300)).isTrue();
    }

    @Test
    void saysWhenTheKernelRefuses() throws Exception {
        pod.pod("nft", "delete", "table", "bridge", "pairvm");
        assertThatThrownBy(() -> gate.openUnlimited())
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining("open the gate")
                .hasMessageContaining("ENOENT");
    }

    @Test
    void aDetachedTapIsSilentThoughTheGateIsOpen() throws Exception {
        gate.openUnlimited();
        network.detach();
        network.detach();
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 100)).isFalse();
        assertThat(guest.reaches(PodNamespace.POD_IP, 100))
                .as("the pod does not hear a detached guest")
                .isFalse();
        network.attach();
        network.attach();
        assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 300))
                .as("forwarding begins at once, not at the kernel's next look at link states")
                .isTrue();
    }
}

package dev.pairvm.mirror.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorConfig.Binding;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** What the mirror makes of a pod's network. */
@EnabledIf("dev.pairvm.mirror.network.PodNamespace#isPossible")
class PodNetworkTest {
    private static final MirrorConfig.Interface BRIDGED =
            new MirrorConfig.Interface("lan", TapGuest.MAC, Binding.BRIDGE, "eth0", List.of());
    private static final MirrorConfig.Interface HIDDEN = new MirrorConfig.Interface(
            "default", TapGuest.MAC, Binding.MASQUERADE, "eth0", List.of(new MirrorConfig.Port("UDP", 5353)));

    @TempDir
    Path directory;

    private PodNamespace pod;

    @BeforeEach
    void aPod() throws Exception {
        pod = new PodNamespace();
    }

    @AfterEach
    void cleanUp() throws Exception {
        pod.close();
    }

    private PodNetwork network(MirrorConfig.Interface... cards) {
        return new PodNetwork(
                List.of(cards), Optional.of("orders"), Set.of(7400, 9443), directory.resolve("network.json"));
    }

    private void prepare(PodNetwork network) throws Exception {
        pod.in(() -> {
            network.prepare();
            return "";
        });
    }

    private static TapGuest guest(PodNamespace pod, String ip) throws Exception {
        return pod.in(() -> new TapGuest(new PodNamespace.TapEnd("pvtap0"), ip));
    }

    private void openGate(PodNetwork network) throws Exception {
        pod.in(() -> {
            try (Gate gate = network.gate(System::nanoTime)) {
                network.attach();
                gate.openUnlimited();
            }
            return "";
        });
    }

    @Test
    void theBridgeTakesOverWhatThePodsInterfaceHad() throws Exception {
        try (PodNetwork network = network(BRIDGED)) {
            prepare(network);
            assertThat(pod.pod("ip", "-4", "-o", "address", "show", "dev", "br-eth0"))
                    .contains("10.9.0.2/24");
            assertThat(pod.pod("ip", "-4", "-o", "address", "show", "dev", "eth0"))
                    .isBlank();
            assertThat(pod.pod("ip", "route", "show", "default")).contains("via 10.9.0.1 dev br-eth0");
            assertThat(pod.pod("ip", "-o", "link", "show", "dev", "br-eth0"))
                    .contains(pod.pod("ip", "-o", "link", "show", "dev", "eth0")
                            .replaceAll("(?s).*link/ether (\\S+).*", "$1"));
            assertThat(pod.pod("ip", "-o", "link", "show", "dev", "pvtap0")).doesNotContain("master");
        }
    }

    @Test
    void aPodOfSeveralAddressesAndRoutesKeepsThem() throws Exception {
        pod.pod("ip", "address", "add", "fd00:9::2/64", "dev", "eth0", "nodad");
        pod.pod("ip", "address", "add", "10.9.5.2/32", "dev", "eth0");
        pod.pod("ip", "route", "add", "169.254.1.1", "dev", "eth0", "scope", "link");
        pod.pod("ip", "route", "add", "10.77.0.0/16", "via", "169.254.1.1", "dev", "eth0", "onlink");
        try (PodNetwork network = network(BRIDGED)) {
            prepare(network);
        }
        assertThat(pod.pod("ip", "-o", "address", "show", "dev", "br-eth0"))
                .contains("10.9.0.2/24", "10.9.5.2/32", "fd00:9::2/64");
        assertThat(pod.pod("ip", "route", "show", "dev", "br-eth0"))
                .contains("169.254.1.1 scope link", "10.77.0.0/16 via 169.254.1.1", "default via 10.9.0.1");
    }

    @Test
    void aRestartedMirrorFindsEverythingAndChangesNothing() throws Exception {
        try (PodNetwork network = network(BRIDGED)) {
            prepare(network);
            openGate(network);
        }
        String before = everything();
        try (PodNetwork network = network(BRIDGED)) {
            prepare(network);
            assertThat(everything()).isEqualTo(before);
            try (TapGuest guest = guest(pod, "10.9.0.77")) {
                assertThat(guest.reaches(PodNamespace.OUTSIDE_IP, 1500))
                        .as("attached and open as before")
                        .isTrue();
            }
        }
    }

    private String everything() throws Exception {
        return pod.pod("ip", "-o", "address").replaceAll("valid_lft \\S+ preferred_lft \\S+", "")
                + pod.pod("ip", "route")
                + pod.pod("nft", "-s", "list", "ruleset");
    }

    @Test
    void aMirrorThatDiedWhileItMovedAddressesFinishesTheMove() throws Exception {
        try (PodNetwork network = network(BRIDGED)) {
            prepare(network);
        }
        // As if it had died after taking the address from one and before giving it to the other.
        pod.pod("ip", "address", "del", "10.9.0.2/24", "dev", "br-eth0");
        try (PodNetwork network = network(BRIDGED)) {
            prepare(network);
        }
        assertThat(pod.pod("ip", "-o", "address", "show", "dev", "br-eth0")).contains("10.9.0.2/24");
        assertThat(pod.pod("ip", "route", "show", "default")).contains("via 10.9.0.1 dev br-eth0");
    }

    @Test
    void aMemoryThatCanNotBeReadStopsBeforeAnythingIsMoved() throws Exception {
        Files.writeString(directory.resolve("network.json"), "{\"eth0\": [");
        try (PodNetwork network = network(BRIDGED)) {
            assertThatThrownBy(() -> prepare(network)).hasRootCauseInstanceOf(Exception.class);
        }
        assertThat(pod.pod("ip", "-o", "address", "show", "dev", "eth0")).contains("10.9.0.2/24");
    }

    @Test
    void aHiddenGuestGetsItsAddressByDhcp() throws Exception {
        try (PodNetwork network = network(HIDDEN)) {
            prepare(network);
            openGate(network);
            try (TapGuest guest = guest(pod, "10.0.2.2")) {
                assertThat(guest.reaches("10.0.2.1", 1500)).isTrue();
                guest.sendUdp(68, 67, discover());
                byte[] offer = guest.receiveUdp(68, 2000);
                assertThat(offer).isNotEmpty();
                assertThat(Arrays.copyOfRange(offer, 0, 6))
                        .as("sent to everybody")
                        .containsOnly((byte) 0xff);
                assertThat(Arrays.copyOfRange(offer, 30, 34)).containsOnly((byte) 0xff);
                assertThat(ByteBuffer.wrap(offer).getShort(34)).isEqualTo((short) 67);
                assertThat(Arrays.copyOfRange(offer, 42 + 16, 42 + 20)).containsExactly(10, 0, 2, 2);
            }
        }
    }

    static byte[] discover() {
        ByteBuffer out = ByteBuffer.allocate(300);
        out.put(new byte[] {1, 1, 6, 0}).putInt(0x12345678).putInt(0x00008000);
        out.position(28);
        out.put(HexFormat.ofDelimiter(":").parseHex(TapGuest.MAC));
        out.position(236);
        out.putInt(0x63825363).put(new byte[] {53, 1, 1, (byte) 255});
        return out.array();
    }

    @Test
    void aHiddenGuestIsReachedAtItsPortsOfThePodAndNoOthers() throws Exception {
        try (PodNetwork network = network(HIDDEN)) {
            prepare(network);
            openGate(network);
            try (TapGuest guest = guest(pod, "10.0.2.2")) {
                assertThat(guest.reaches("10.0.2.1", 1500)).isTrue();
                pod.pod("ip", "neigh", "replace", "10.0.2.2", "lladdr", TapGuest.MAC, "dev", "pvnat");
                pod.outside("bash", "-c", "echo hello > /dev/udp/10.9.0.2/5354");
                pod.outside("bash", "-c", "echo hello > /dev/udp/10.9.0.2/5353");
                byte[] frame = guest.receiveUdp(5353, 2000);
                assertThat(new String(frame, StandardCharsets.US_ASCII)).contains("hello");
                assertThat(guest.receiveUdp(5354, 100)).isEmpty();
            }
        }
    }

    @Test
    void forwardingNeedsNoSysctl() throws Exception {
        try (PodNetwork network = network(HIDDEN)) {
            assertThat(pod.pod("ip", "netconf", "show", "dev", "eth0")).contains("forwarding off");
            prepare(network);
            assertThat(pod.pod("ip", "netconf", "show", "dev", "eth0")).contains("forwarding on");
            assertThat(pod.pod("ip", "netconf", "show", "dev", "pvnat")).contains("forwarding on");
        }
    }

    @Test
    void refusesWhatItCanNotMake() {
        assertThatThrownBy(() -> network(HIDDEN, HIDDEN)).hasMessageContaining("only one interface");
        assertThatThrownBy(() -> network(
                        new MirrorConfig.Interface("x", TapGuest.MAC, Binding.BRIDGE, "eth0; reboot", List.of())))
                .hasMessageContaining("eth0; reboot");
        assertThatThrownBy(() -> network(new MirrorConfig.Interface(
                        "x", TapGuest.MAC, Binding.MASQUERADE, "eth0", List.of(new MirrorConfig.Port("TCP", 7400)))))
                .hasMessageContaining("7400");
        assertThatThrownBy(() -> network(new MirrorConfig.Interface(
                        "x",
                        TapGuest.MAC,
                        Binding.MASQUERADE,
                        "eth0",
                        List.of(new MirrorConfig.Port("TCP dport 1 accept; #", 80)))))
                .hasMessageContaining("must be TCP or UDP");
    }
}

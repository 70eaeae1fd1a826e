package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.network.Gate;
import dev.pairvm.mirror.network.PodNamespace;
import dev.pairvm.mirror.network.PodNetwork;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** QEMU on the pod's network: a standby is silent, a promoted guest announces itself, a fenced one is cut off. */
@Tag("qemu")
@EnabledIf("isPossible")
class PromotionQemuTest {
    private static final String MAC = "02:11:22:33:44:66";

    @TempDir
    Path directory;

    static boolean isPossible() {
        return QemuPod.isPossible() && PodNamespace.isPossible();
    }

    /** Counts, in the kernel of the network outside, frames that come from the guest. */
    private static long framesOutside(PodNamespace namespace) throws Exception {
        return Long.parseLong(namespace
                .readOutside("nft", "list", "table", "netdev", "watch")
                .replaceAll("(?s).*packets (\\d+) .*", "$1"));
    }

    @Test
    void announcesItselfWhenItIsPromotedAndNotBefore() throws Exception {
        MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
        EventLoop loop = group.next();
        String uuid = UUID.randomUUID().toString();
        List<MirrorConfig.Interface> cards =
                List.of(new MirrorConfig.Interface("lan", MAC, MirrorConfig.Binding.BRIDGE, "eth0", List.of()));
        try (PodNamespace namespace = new PodNamespace();
                PodNetwork network =
                        new PodNetwork(cards, Optional.empty(), Set.of(), directory.resolve("network.json"))) {
            assertThat(namespace.outside(
                            "nft",
                            "add table netdev watch; add chain netdev watch in { type filter hook"
                                    + " ingress device out0 priority 0; }; add rule netdev watch in ether saddr " + MAC
                                    + " counter"))
                    .isTrue();
            Gate gate = namespace.in(() -> {
                network.prepare();
                return network.gate(System::nanoTime);
            });
            QemuPod pod = namespace.in(() -> new QemuPod(
                    directory,
                    loop,
                    uuid,
                    new MirrorConfig.Firmware(false, uuid, Optional.empty()),
                    cards,
                    network.taps(),
                    QemuPod.Hardware.usual()));
            try {
                pod.get(() -> pod.guest.prepareStandby());
                pod.get(() -> pod.guest.announce());
                assertThat(framesOutside(namespace)).as("a standby").isZero();
                network.attach();
                pod.get(() -> pod.guest.announce());
                assertThat(framesOutside(namespace)).as("its gate is shut").isZero();
                gate.openUnlimited();
                pod.get(() -> pod.guest.startOrResume());
                await().atMost(Duration.ofSeconds(20)).until(() -> framesOutside(namespace) > 0);
                assertThat(namespace.pod("bridge", "fdb", "show", "br", "br-eth0"))
                        .contains(MAC + " dev pvtap0");
                gate.shut();
                long before = framesOutside(namespace);
                pod.get(() -> pod.guest.announce());
                assertThat(framesOutside(namespace)).isEqualTo(before);
            } finally {
                pod.close();
                gate.close();
            }
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }
}

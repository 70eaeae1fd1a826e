package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Message;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The link of the benchmarks, without TLS, beside those that have it. */
class PlainLinkTest {
    private static final String UID = "0a1b2c3d-machine";

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();

    private LinkSide side(String copy, String machine, boolean plain) throws Exception {
        TlsFiles tls = authority.write(folder.resolve(copy), authority.copy(machine, copy));
        LinkConfig config = new LinkConfig(machine, new CopyId(copy), 0, 50);
        return new LinkSide(copy, tls, true, plain ? config.inTheClear() : config);
    }

    /** The higher name dials. */
    private static void meet(LinkSide a, LinkSide b) {
        PeerAddress at = PeerAddress.parse("127.0.0.1:" + a.port);
        b.on(() -> {
            b.link.peers(Map.of(a.copy, List.of(at)));
            return null;
        });
    }

    @Test
    void framesTravelWithoutTls() throws Exception {
        try (LinkSide a = side("a", UID, true);
                LinkSide b = side("b", UID, true)) {
            meet(a, b);
            await().atMost(Duration.ofSeconds(10)).until(() -> a.up != null && b.up != null);
            a.on(() -> a.link.send(b.copy, new Message.Attached(3, 4)));
            await().atMost(Duration.ofSeconds(10)).until(() -> !b.messages.isEmpty());
            assertThat(b.messages).containsExactly(new Message.Attached(3, 4));
        }
    }

    @Test
    void aSideWithTlsIsNotTalkedDownByOneWithout() throws Exception {
        try (LinkSide a = side("a", UID, false);
                LinkSide b = side("b", UID, true)) {
            meet(a, b);
            await().during(Duration.ofMillis(500))
                    .atMost(Duration.ofSeconds(10))
                    .until(() -> a.up == null && b.up == null);
        }
    }

    @Test
    void anotherMachinesMirrorIsRefused() throws Exception {
        try (LinkSide a = side("a", UID, true);
                LinkSide b = side("b", "another", true)) {
            meet(a, b);
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> a.refusals.contains(LinkListener.Refusal.IDENTITY)
                            || b.refusals.contains(LinkListener.Refusal.IDENTITY));
            assertThat(a.up).isNull();
            assertThat(b.up).isNull();
        }
    }
}

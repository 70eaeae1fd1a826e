package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PeerLinkTest {
    private static final String UID = "0a1b2c3d-machine";

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private final List<LinkSide> sides = new ArrayList<>();

    @AfterEach
    void closeAll() throws Exception {
        for (LinkSide side : sides) {
            side.close();
        }
    }

    private LinkSide side(String copy) throws Exception {
        return side(copy, true);
    }

    private LinkSide side(String copy, boolean epoll) throws Exception {
        TlsFiles tls = authority.write(folder.resolve(copy + sides.size()), authority.copy(UID, copy));
        return keep(new LinkSide(UID, copy, tls, 20, epoll));
    }

    private LinkSide keep(LinkSide side) {
        sides.add(side);
        return side;
    }

    private static void untilUp(LinkSide... sides) {
        for (LinkSide side : sides) {
            await().atMost(Duration.ofSeconds(10)).until(() -> side.up != null);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void framesArriveWholeAndInOrder(boolean epoll) throws Exception {
        LinkSide a = side("a", epoll);
        LinkSide b = side("b", epoll);
        b.knows(a, a.at("127.0.0.1"));
        a.knows(b, b.at("127.0.0.1")); // the lower name does not dial
        untilUp(a, b);
        List<Message> sent = new ArrayList<>();
        a.run(() -> {
            for (int i = 0; i < 300; i++) {
                int length = i % 50 == 49 ? 3 << 20 : 4096;
                Message.Write write = new Message.Write(1, 9, i, 0, 4096L * i, length, false, false);
                sent.add(write);
                assertThat(a.link.send(b.copy, write, SampleMessages.random(length, i)))
                        .isTrue();
                Message.Flush flush = new Message.Flush(1, 9, 1000 + i, 0);
                sent.add(flush);
                a.link.send(b.copy, flush);
            }
        });
        await().atMost(Duration.ofSeconds(30)).until(() -> b.messages.size() == sent.size());
        assertThat(b.messages).isEqualTo(sent);
        ByteBuf last = SampleMessages.random(3 << 20, 299);
        assertThat(b.payloads.get(598)).isEqualTo(ByteBufUtil.getBytes(last));
        assertThat(a.story).contains("full", "writable");
        assertThat(a.on(() -> a.link.roundTripNanos(b.copy)).isPresent() || a.beacons.isEmpty())
                .isTrue();
    }

    @Test
    void theEndOfTheOtherProcessIsHeardAtOnce() throws Exception {
        LinkSide a = side("a");
        LinkSide b = side("b");
        b.knows(a, a.at("127.0.0.1"));
        untilUp(a, b);
        sides.remove(b);
        b.close();
        await().atMost(Duration.ofSeconds(2)).until(() -> a.story.contains("down b CLOSED_BY_PEER"));
        LinkSide again = side("b");
        again.knows(a, a.at("127.0.0.1"));
        untilUp(a, again);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "b"})
    void aDroppedLinkComesBack(String dropper) throws Exception {
        LinkSide a = side("a");
        LinkSide b = side("b");
        b.knows(a, a.at("127.0.0.1"));
        untilUp(a, b);
        LinkSide drops = dropper.equals("a") ? a : b;
        LinkSide other = drops == a ? b : a;
        drops.run(() -> {
            drops.link.drop(other.copy, "the test says so");
            assertThat(drops.link.send(other.copy, new Message.Goodbye(1, 1))).isFalse();
            assertThat(drops.story).doesNotContain("down " + other.copy + " CLOSED_HERE"); // not from within the call
        });
        await().atMost(Duration.ofSeconds(10)).until(() -> drops.story.size() >= 3 && other.story.size() >= 3);
        assertThat(drops.story)
                .startsWith("up " + other.copy, "down " + other.copy + " CLOSED_HERE", "up " + other.copy);
        assertThat(other.story)
                .startsWith("up " + drops.copy, "down " + drops.copy + " CLOSED_BY_PEER", "up " + drops.copy);
    }

    @Test
    void threeMirrorsMeet() throws Exception {
        LinkSide a = side("a");
        LinkSide b = side("b");
        LinkSide c = side("c");
        c.knows(a, a.at("127.0.0.1"));
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> a.story.containsAll(List.of("up b", "up c")));
        a.run(() -> a.link.send(c.copy, new Message.Goodbye(1, 3)));
        await().atMost(Duration.ofSeconds(10)).until(() -> c.messages.size() == 1);
        assertThat(b.messages).isEmpty();
    }

    @Test
    void aForeignCertificateIsRefused() throws Exception {
        LinkSide a = side("a");
        TestAuthority other = new TestAuthority();
        LinkSide b = keep(new LinkSide(UID, "b", other.write(folder.resolve("x"), other.copy(UID, "b"))));
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !b.refusals.isEmpty());
        assertThat(b.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
        assertThat(b.sentences.getFirst()).contains("does not descend from the machine's CA");
        assertThat(a.story).isEmpty();
    }

    @Test
    void aClientOfAForeignCaIsRefusedByTheSideThatIsDialed() throws Exception {
        LinkSide a = side("a");
        TestAuthority other = new TestAuthority();
        TlsFiles trustsUs = other.write(folder.resolve("x"), other.copy(UID, "b"));
        java.nio.file.Files.writeString(folder.resolve("x/ca.crt"), authority.certificatePem());
        LinkSide b = keep(new LinkSide(UID, "b", trustsUs));
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
        assertThat(a.sentences.getFirst()).contains("from 127.0.0.1", "does not descend");
        assertThat(b.story).isEmpty();
    }

    @Test
    void anExpiredCertificateIsRefused() throws Exception {
        LinkSide a = side("a");
        var expired = authority.validFrom(
                Instant.now().minus(Duration.ofHours(2)),
                Duration.ofHours(1),
                CertificateIdentity.nameOf(UID, SampleMessages.B));
        LinkSide b = keep(new LinkSide(UID, "b", authority.write(folder.resolve("x"), expired)));
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
        assertThat(a.sentences.getFirst()).contains("has expired");
        assertThat(b.story).isEmpty();
    }

    @Test
    void aCertificateThatIsNotValidYetIsRefused() throws Exception {
        LinkSide a = side("a");
        var early = authority.validFrom(
                Instant.now().plus(Duration.ofHours(1)),
                Duration.ofHours(1),
                CertificateIdentity.nameOf(UID, SampleMessages.B));
        LinkSide b = keep(new LinkSide(UID, "b", authority.write(folder.resolve("x"), early)));
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
        assertThat(a.sentences.getFirst()).contains("is not valid yet (are the clocks right?)");
        assertThat(b.story).isEmpty();
    }

    /** The right name, an authority of its own, and nobody else has signed it. */
    @Test
    void aSelfSignedCertificateIsRefused() throws Exception {
        LinkSide a = side("a");
        var self = authority.selfSigned(CertificateIdentity.nameOf(UID, SampleMessages.B));
        TlsFiles alone = authority.write(folder.resolve("self"), self);
        try (PlainTls client = new PlainTls(a.port, alone)) {
            client.handshakeAndRead();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
        assertThat(a.story).isEmpty();
    }

    /** A certificate of ours is no authority: what it signs descends from our CA, and is refused. */
    @Test
    void whatAnotherCopysCertificateSignedIsRefused() throws Exception {
        LinkSide a = side("a");
        var signer = authority.copy(UID, "c");
        var signed = authority.signedBy(signer, CertificateIdentity.nameOf(UID, SampleMessages.B));
        try (PlainTls client = new PlainTls(a.port, authority.write(folder.resolve("sub"), signed))) {
            client.handshakeAndRead();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
        assertThat(a.story).isEmpty();
    }

    @Test
    void aCertificateWithTwoNamesIsRefused() throws Exception {
        LinkSide a = side("a");
        var both = authority.named(CertificateIdentity.nameOf(UID, SampleMessages.B), CertificateIdentity.OPERATOR);
        try (PlainTls client = new PlainTls(a.port, authority.write(folder.resolve("two"), both))) {
            client.handshakeAndRead();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.IDENTITY);
        assertThat(a.sentences.getFirst()).contains("names two identities");
    }

    /** Certificates swapped between copies: the greeting says who it means to be, and the certificate is another's. */
    @Test
    void aGreetingInTheNameOfAnotherCopyIsRefused() throws Exception {
        LinkSide a = side("a");
        try (PlainTls c = new PlainTls(a.port, authority.write(folder.resolve("c"), authority.copy(UID, "c")))) {
            c.write(c.frame(new LinkFrame.Greeting(
                    LinkVersions.OURS, 0, UID, SampleMessages.B, 1, 7400, Secret.random(), List.of())));
            await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        }
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.IDENTITY);
        assertThat(a.sentences.getFirst()).contains("it greets as copy b but its certificate is of copy c");
        assertThat(a.story).isEmpty();
    }

    @Test
    void anotherMachinesMirrorIsRefused() throws Exception {
        LinkSide a = side("a");
        LinkSide b = keep(new LinkSide(
                "other-machine", "b", authority.write(folder.resolve("x"), authority.copy("other-machine", "b"))));
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !b.refusals.isEmpty());
        assertThat(b.refusals).containsOnly(LinkListener.Refusal.IDENTITY);
        assertThat(b.sentences.getFirst())
                .contains("copy a of machine " + UID, "not another copy of machine other-machine");
        assertThat(a.story).isEmpty();
    }

    @Test
    void swappedAddressesAreNoticed() throws Exception {
        LinkSide a = side("a");
        LinkSide b = side("b");
        LinkSide c = side("c");
        c.knows(a, b.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !c.refusals.isEmpty());
        assertThat(c.refusals).containsOnly(LinkListener.Refusal.IDENTITY);
        assertThat(c.sentences.getFirst()).contains("copy b answered at an address of copy a");
        assertThat(a.story).isEmpty();
        assertThat(c.story).isEmpty();
    }

    @Test
    void theOperatorIsNoPeer() throws Exception {
        LinkSide a = side("a");
        TlsFiles operator = authority.write(folder.resolve("op"), authority.operator());
        try (PlainTls client = new PlainTls(a.port, operator)) {
            client.handshakeAndRead();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.IDENTITY);
        assertThat(a.sentences.getFirst()).contains("it is the operator");
    }

    @Test
    void theSameCopyTwiceIsRefused() throws Exception {
        LinkSide a = side("a");
        TlsFiles same = authority.write(folder.resolve("same"), authority.copy(UID, "a"));
        try (PlainTls client = new PlainTls(a.port, same)) {
            client.handshakeAndRead();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.IDENTITY);
    }

    @Test
    void noiseInsteadOfTlsIsRefused() throws Exception {
        LinkSide a = side("a");
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), a.port)) {
            OutputStream out = socket.getOutputStream();
            out.write("GET / HTTP/1.1\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        }
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.CERTIFICATE);
    }

    @Test
    void noiseInsideTlsIsRefused() throws Exception {
        LinkSide a = side("a");
        TlsFiles b = authority.write(folder.resolve("noise"), authority.copy(UID, "b"));
        try (PlainTls client = new PlainTls(a.port, b)) {
            client.write(new byte[100]);
            await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        }
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.MALFORMED);
        assertThat(a.sentences.getFirst()).contains("magic is wrong");
    }

    @Test
    void silenceIsRefused() throws Exception {
        LinkSide a = side("a");
        try (Socket quiet = new Socket(InetAddress.getLoopbackAddress(), a.port)) {
            await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
            assertThat(quiet.isConnected()).isTrue();
        }
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.SILENT);
    }

    @Test
    void anotherVersionIsRefusedByItsNumber() throws Exception {
        LinkSide a = side("a");
        TlsFiles b = authority.write(folder.resolve("v2"), authority.copy(UID, "b"));
        try (PlainTls client = new PlainTls(a.port, b)) {
            client.write(client.frame(new LinkFrame.ForeignGreeting(2)));
            await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
        }
        assertThat(a.refusals).containsOnly(LinkListener.Refusal.VERSION);
        assertThat(a.sentences.getFirst()).contains("version 2", "bring both to the same release");
    }

    @Test
    void aRenewedCertificateIsUsedWithoutARestart() throws Exception {
        TlsFiles files = authority.write(folder.resolve("renewed"), authority.copy(UID, "a"));
        LinkSide a = keep(new LinkSide(UID, "a", files));
        LinkSide b = side("b");
        b.knows(a, a.at("127.0.0.1"));
        untilUp(a, b);
        TestAuthority next = new TestAuthority();
        next.write(folder.resolve("renewed"), next.copy(UID, "a"));
        next.write(folder.resolve("b1"), next.copy(UID, "b"));
        assertThat(a.up).isNotNull(); // what is up stays up
        await().pollDelay(Duration.ofMillis(1_100)).until(() -> true); // files are looked at once a second
        a.run(() -> a.link.drop(b.copy, "to use the new certificates"));
        await().atMost(Duration.ofSeconds(10)).until(() -> a.story.size() == 3);
        untilUp(a, b);
        try (PlainTls old = new PlainTls(a.port, authority.write(folder.resolve("old"), authority.copy(UID, "b")))) {
            old.handshakeAndRead();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> a.refusals.contains(LinkListener.Refusal.CERTIFICATE));
    }

    @Test
    void aCertificateOfAnotherCopyIsNoStart() throws Exception {
        TlsFiles tls = authority.write(folder.resolve("wrong"), authority.copy(UID, "b"));
        assertThatThrownBy(() -> keep(new LinkSide(UID, "a", tls)))
                .isInstanceOf(LinkSetupException.class)
                .hasMessageContaining("tls.crt must be of copy a of machine " + UID + ", but is of copy b");
    }
}

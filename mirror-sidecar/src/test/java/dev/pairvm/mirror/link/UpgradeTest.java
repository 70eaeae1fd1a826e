package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sides of different releases: what they agree on, and that one can be upgraded before the other. */
class UpgradeTest {
    private static final String UID = "0a1b2c3d-machine";
    private static final LinkVersions FIRST = new LinkVersions(1, 1);
    private static final LinkVersions SECOND = new LinkVersions(1, 2);
    private static final LinkVersions THIRD = new LinkVersions(2, 3);

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

    private LinkSide side(String copy, LinkVersions speaks, long features) throws Exception {
        TlsFiles tls = authority.write(folder.resolve(copy + sides.size()), authority.copy(UID, copy));
        LinkConfig config = new LinkConfig(UID, new CopyId(copy), 0, 50).speaking(speaks, features);
        LinkSide side = new LinkSide(copy, tls, true, config);
        sides.add(side);
        return side;
    }

    private void end(LinkSide side) throws Exception {
        sides.remove(side);
        side.close();
    }

    private static void untilUp(LinkSide... sides) {
        for (LinkSide side : sides) {
            await().atMost(Duration.ofSeconds(10)).until(() -> side.up != null);
        }
    }

    private static int version(LinkSide side) {
        return java.util.Objects.requireNonNull(side.up).version();
    }

    /** A frame each way. */
    private static void exchange(LinkSide a, LinkSide b) {
        int atA = a.messages.size();
        int atB = b.messages.size();
        a.run(() -> a.link.send(b.copy, new Message.Flush(1, 7, 1, 0)));
        b.run(() -> b.link.send(a.copy, new Message.FlushAck(1, 7, 1)));
        await().atMost(Duration.ofSeconds(10))
                .until(() -> a.messages.size() == atA + 1 && b.messages.size() == atB + 1);
    }

    @ParameterizedTest
    @CsvSource({"1,1,1,1,1", "1,1,1,2,1", "1,2,1,2,2", "1,2,2,3,2", "2,3,2,9,3", "1,1,2,3,0", "1,1,2,2,0", "3,5,1,2,0"})
    void theNewestThatBothSpeak(int oldest, int newest, int peersOldest, int peersNewest, int chosen) {
        LinkVersions ours = new LinkVersions(oldest, newest);
        LinkVersions theirs = new LinkVersions(peersOldest, peersNewest);
        OptionalInt expected = chosen == 0 ? OptionalInt.empty() : OptionalInt.of(chosen);
        assertThat(ours.common(theirs)).isEqualTo(expected);
        assertThat(theirs.common(ours)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"a", "b"})
    void bothSidesAreUpgradedOneAtATime(String first) throws Exception {
        LinkSide a = side("a", FIRST, 0);
        LinkSide b = side("b", FIRST, 0);
        b.knows(a, a.at("127.0.0.1"));
        untilUp(a, b);
        assertThat(version(a)).isEqualTo(1);
        exchange(a, b);
        for (String step : List.of(first, first.equals("a") ? "b" : "a")) {
            if (step.equals("a")) {
                end(a);
                a = side("a", SECOND, LinkFrame.FEATURES);
            } else {
                end(b);
                b = side("b", SECOND, LinkFrame.FEATURES);
            }
            b.knows(a, a.at("127.0.0.1"));
            LinkSide nowA = a;
            LinkSide nowB = b;
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> nowA.story.getLast().equals("up b")
                            && nowB.story.getLast().equals("up a"));
            boolean both = !step.equals(first);
            assertThat(version(a)).isEqualTo(both ? 2 : 1);
            assertThat(version(b)).isEqualTo(both ? 2 : 1);
            assertThat(java.util.Objects.requireNonNull(a.up).features()).isEqualTo(both ? LinkFrame.FEATURES : 0);
            exchange(a, b);
        }
        assertThat(a.refusals).isEmpty();
        assertThat(b.refusals).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void releasesTooFarApartSaySo(boolean newerDials) throws Exception {
        LinkSide a = side("a", newerDials ? FIRST : THIRD, LinkFrame.FEATURES);
        LinkSide b = side("b", newerDials ? THIRD : FIRST, LinkFrame.FEATURES);
        b.knows(a, a.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty() || !b.refusals.isEmpty());
        LinkSide told = a.refusals.isEmpty() ? b : a;
        assertThat(told.refusals).contains(LinkListener.Refusal.VERSION);
        assertThat(told.sentences.toString()).contains("bring both to the same release");
        assertThat(a.story).isEmpty();
        assertThat(b.story).isEmpty();
    }

    /** What the first release sends, byte for byte: one version, no range behind its addresses. */
    private static byte[] greetingOfTheFirstRelease(long features) {
        ByteBuf frame = UnpooledByteBufAllocator.DEFAULT.heapBuffer();
        frame.writerIndex(FrameHeader.BYTES);
        BodyWriter out = new BodyWriter(frame);
        out.i32(1).i64(features).text(UID, 64, "machineUid").copy(SampleMessages.B);
        out.i64(99).i32(7400).bytes(Secret.random().bytes());
        out.count(1, 8, "addresses").text("127.0.0.9:7400", 64, "address");
        FrameHeader.complete(frame, 64, 0, 0, 0, 0, 0);
        return ByteBufUtil.getBytes(frame);
    }

    @Test
    void theFirstReleaseIsUnderstoodAndHearsNothingItDoesNotKnow() throws Exception {
        LinkSide a = side("a", SECOND, LinkFrame.FEATURES);
        TlsFiles b = authority.write(folder.resolve("old"), authority.copy(UID, "b"));
        try (PlainTls old = new PlainTls(a.port, b)) {
            old.write(greetingOfTheFirstRelease(0));
            old.write(old.frame(new LinkFrame.Select()));
            untilUp(a);
            assertThat(version(a)).isEqualTo(1);
            old.write(old.frame(new Message.Goodbye(3, 4), null));
            await().atMost(Duration.ofSeconds(10)).until(() -> a.messages.size() == 1);
            assertThatThrownBy(() -> a.loop.submit(() ->
                                    a.link.streams().open(SampleMessages.B, "migration", new StreamChannelTest.Ends()))
                            .get())
                    .hasMessageContaining("of a release without streams");
            a.run(() -> a.link.send(SampleMessages.B, new Message.Read(3, 4, 77, 0, 0, 4096)));
            await().atMost(Duration.ofSeconds(10)).until(() -> a.messages.size() == 2);
            assertThat(a.messages.getLast())
                    .as("a peer that can not read for us is answered for, not driven away")
                    .isEqualTo(new Message.ReadFailed(3, 4, 77, 95));
            a.run(() -> a.link.send(SampleMessages.B, new Message.Goodbye(3, 5)));
            List<Integer> heard = new ArrayList<>();
            while (!heard.contains(FrameType.GOODBYE.code)) {
                heard.add(old.nextType());
            }
            assertThat(heard).isSubsetOf(FrameType.GREETING.code, FrameType.PING.code, FrameType.GOODBYE.code);
            assertThat(a.story).containsExactly("up b");
        }
    }

    @Test
    void aFrameThatWasNotAgreedOnEndsTheConnection() throws Exception {
        LinkSide a = side("a", FIRST, LinkFrame.FEATURES);
        TlsFiles b = authority.write(folder.resolve("old"), authority.copy(UID, "b"));
        for (boolean known : new boolean[] {true, false}) {
            try (PlainTls old = new PlainTls(a.port, b)) {
                old.write(greetingOfTheFirstRelease(0));
                old.write(old.frame(new LinkFrame.Select()));
                byte[] frame = old.frame(new LinkFrame.StreamOpen(1, "migration"));
                if (!known) {
                    frame[2] = 63; // a type of a release to come
                }
                old.write(frame);
                await().atMost(Duration.ofSeconds(10)).until(() -> !a.refusals.isEmpty());
                while (old.nextType() >= 0) {
                    // up to the farewell
                }
            } catch (IOException e) {
                // closed while we wrote
            }
            assertThat(a.refusals).containsOnly(LinkListener.Refusal.MALFORMED);
            assertThat(a.sentences.toString())
                    .contains(
                            known ? "STREAM_OPEN belongs to a feature that was not agreed on" : "type 63 is not known");
            a.refusals.clear();
            a.sentences.clear();
        }
    }
}

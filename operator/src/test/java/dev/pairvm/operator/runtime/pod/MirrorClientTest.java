package dev.pairvm.operator.runtime.pod;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.operator.pki.Trust;
import dev.pairvm.operator.testing.FakeMirror;
import dev.pairvm.operator.testing.Reports;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class MirrorClientTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final InstantSource CLOCK = InstantSource.system();

    private final Trust trust = Trust.create(CLOCK.instant());
    private final MirrorClient client = new MirrorClient(() -> trust, CLOCK, UnaryOperator.identity());
    private final List<AutoCloseable> open = new ArrayList<>(List.of(client));

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable closeable : open.reversed()) {
            closeable.close();
        }
    }

    private FakeMirror mirror(Trust signer, String identity) {
        FakeMirror mirror = new FakeMirror("127.0.0.1", 0, signer.secretData(identity, CLOCK.instant()));
        open.add(mirror);
        return mirror;
    }

    private static MirrorAddress address(FakeMirror mirror, String identity) {
        return new MirrorAddress("shop", "orders", new CopyId("a"), identity, "127.0.0.1", mirror.port());
    }

    @Test
    void readsTheReportOfWhoItExpects() {
        FakeMirror mirror = mirror(trust, "pairvm://uid/a");
        mirror.says(Reports.active("a", 3, "b"));

        MirrorReport report = client.report(address(mirror, "pairvm://uid/a"))
                .orTimeout(10, java.util.concurrent.TimeUnit.SECONDS)
                .join();

        assertThat(report).isEqualTo(Reports.active("a", 3, "b"));
    }

    @Test
    void givesNoOrderToAnotherMachinesMirror() {
        FakeMirror mirror = mirror(trust, "pairvm://another/a");

        MirrorClient.OrderAnswer answer = client.order(
                address(mirror, "pairvm://uid/a"), new MirrorOrder.Switchover(new Epoch(3), new CopyId("b")));

        assertThat(answer.outcome()).isEqualTo(MirrorClient.OrderOutcome.UNKNOWN);
        assertThat(answer.message()).contains("expected pairvm://uid/a");
        assertThat(mirror.orders()).isEmpty();
    }

    @Test
    void believesNobodyWithACertificateOfAnotherAuthority() {
        FakeMirror mirror = mirror(Trust.create(CLOCK.instant()), "pairvm://uid/a");
        mirror.says(Reports.active("a", 3, "b"));

        assertThatThrownBy(
                        () -> client.report(address(mirror, "pairvm://uid/a")).join())
                .hasMessageContaining("certificat");
    }

    @Test
    void tellsARefusalFromASilence() {
        FakeMirror mirror = mirror(trust, "pairvm://uid/a");
        MirrorOrder order = new MirrorOrder.Leave(new Epoch(3), new CopyId("b"));
        mirror.answersOrdersWith(409);
        assertThat(client.order(address(mirror, "pairvm://uid/a"), order).outcome())
                .isEqualTo(MirrorClient.OrderOutcome.REFUSED);
        mirror.answersOrdersWith(200);
        assertThat(client.order(address(mirror, "pairvm://uid/a"), order).outcome())
                .isEqualTo(MirrorClient.OrderOutcome.DONE);
        assertThat(mirror.callers()).containsOnly("pairvm://operator");
    }

    @Test
    void hearsOfAChangeAtOnceAndOfASilence() {
        FakeMirror mirror = mirror(trust, "pairvm://uid/a");
        mirror.says(Reports.active("a", 3, "b"));
        AtomicInteger changes = new AtomicInteger();
        MirrorDirectory directory = new MirrorDirectory(client, CLOCK);
        open.add(directory);
        directory.onChange((namespace, machine) -> changes.incrementAndGet());
        MirrorAddress address = address(mirror, "pairvm://uid/a");

        directory.watch("shop", "orders", List.of(address));
        await().atMost(LIMIT).until(() -> directory.fact(address).answer().isPresent());
        mirror.says(Reports.active("a", 4, "b"));
        await().atMost(LIMIT)
                .until(() -> directory
                        .fact(address)
                        .answer()
                        .filter(report -> report.epoch().value() == 4)
                        .isPresent());
        assertThat(changes.get()).isGreaterThanOrEqualTo(2);

        mirror.fallsSilent();
        await().atMost(LIMIT).until(() -> directory.fact(address) instanceof MirrorFact.Silent);
        mirror.says(Reports.active("a", 5, "b"));
        await().atMost(LIMIT).until(() -> directory.fact(address).answer().isPresent());
        directory.forget("shop", "orders");
        assertThat(directory.fact(address)).isInstanceOf(MirrorFact.NoAddress.class);
    }

    private static final class Once implements Flow.Subscription {
        private boolean cancelled;

        @Override
        public void request(long n) {}

        @Override
        public void cancel() {
            cancelled = true;
        }
    }

    private static void feed(EventStream stream, String text) {
        stream.onNext(List.of(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
    }

    @Test
    void readsEventsHoweverTheyAreCutAndPassesOverTheRest() {
        List<String> events = new ArrayList<>();
        EventStream stream = new EventStream(100, data -> events.add(new String(data, StandardCharsets.UTF_8)));
        stream.onSubscribe(new Once());

        feed(stream, ": comment\r\nevent: rep");
        feed(stream, "ort\r\ndata: {\"a\"");
        feed(stream, ":1}\n\nid: 7\n\ndata:x\ndata:y\n\n");

        assertThat(events).containsExactly(" {\"a\":1}\n", "x\ny\n");
    }

    @Test
    void anEndlessLineEndsTheStreamAndNotTheMemory() {
        Once subscription = new Once();
        EventStream stream = new EventStream(100, data -> {});
        stream.onSubscribe(subscription);

        feed(stream, "data: " + "x".repeat(200));

        assertThat(subscription.cancelled).isTrue();
        assertThat(stream.getBody().toCompletableFuture()).isCompletedExceptionally();
    }

    @Test
    void anEndlessAnswerEndsTheRequest() {
        Once subscription = new Once();
        BoundedBody body = new BoundedBody(10);
        body.onSubscribe(subscription);

        body.onNext(List.of(ByteBuffer.allocate(11)));

        assertThat(subscription.cancelled).isTrue();
        assertThat(body.getBody().toCompletableFuture()).isCompletedExceptionally();
    }
}

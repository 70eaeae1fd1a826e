package dev.pairvm.mirror.arbiter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.arbiter.RogueApiServer.Act;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an API server, or something in between, may do to a read and a compare-and-swap. */
@SuppressWarnings("NullAway.Init") // set before each test
class LeaseArbiterTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final String NOT_FOUND =
            "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"leases \\\"pairvm-orders\\\" not found\",\"reason\":\"NotFound\",\"code\":404}";
    private static final String CONFLICT =
            "{\"kind\":\"Status\",\"message\":\"the object has been modified\",\"reason\":\"Conflict\",\"code\":409}";

    @TempDir
    Path folder;

    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private RogueApiServer server;
    private LeaseArbiter arbiter;

    @BeforeEach
    void start() throws Exception {
        server = new RogueApiServer(folder);
        Files.writeString(folder.resolve("token"), "first-token\n");
        arbiter = new LeaseArbiter(vertx, vertx.getOrCreateContext(), access(server.port()), "pairvm-orders", 5_000);
    }

    private KubernetesAccess access(int port) {
        return new KubernetesAccess("127.0.0.1", port, folder.resolve("token"), server.caFile(), "shop");
    }

    @AfterEach
    void stop() throws Exception {
        arbiter.close();
        server.close();
        vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private static String lease(String version, long epoch, String active, String inSync, String nonce) {
        return """
                {"apiVersion":"coordination.k8s.io/v1","kind":"Lease",
                 "metadata":{"name":"pairvm-orders","namespace":"shop","uid":"u-1","resourceVersion":"%s",
                  "labels":{"mine":"kept"},"ownerReferences":[{"uid":"o-1","kind":"ProtectedVM"}],
                  "annotations":{"pairvm.dev/in-sync":"%s","pairvm.dev/mode":"HA","pairvm.dev/nonce":"%s",
                    "addresses.pairvm.dev/a":"10.0.0.1:7400","other.example/x":"kept"},
                  "fieldOfTomorrow":{"kept":[1,2,3]}},
                 "spec":{"holderIdentity":"%s","leaseTransitions":%d,"leaseDurationSeconds":15,"strategyOfTomorrow":"kept"}}""".formatted(version, inSync, nonce, active, epoch);
    }

    private static ArbiterRecord next() {
        return new ArbiterRecord(
                new Epoch(18), B, new TreeSet<>(List.of(B)), ArbiterRecord.Mode.HA, "n-18", new TreeMap<>());
    }

    private ReadResult read() {
        return ArbiterTests.answer(arbiter::read);
    }

    private CasResult swap(String version) {
        return ArbiterTests.answer(answer -> arbiter.compareAndSwap(version, next(), answer));
    }

    private void haveRead() {
        server.next(RogueApiServer.answer(200, lease("41", 17, "a", "a,b", "n-17")));
        assertThat(read()).isInstanceOf(ReadResult.Read.class);
        server.asked.clear();
    }

    @Test
    void aReadIsAQuorumReadWithTheTokenOfTheMoment() throws Exception {
        server.next(RogueApiServer.answer(200, lease("41", 17, "a", "a,b", "n-17")));
        ReadResult.Read read = (ReadResult.Read) read();
        assertThat(read.version()).isEqualTo("41");
        assertThat(read.uid()).isEqualTo("u-1");
        assertThat(read.arbiter().inSync()).containsExactly(A, B);
        assertThat(read.arbiter().addresses()).containsEntry(A, List.of("10.0.0.1:7400"));
        Files.writeString(folder.resolve("token"), "second-token");
        server.next(RogueApiServer.answer(200, lease("41", 17, "a", "a,b", "n-17")));
        read();
        assertThat(server.asked)
                .extracting(RogueApiServer.Asked::path)
                .containsOnly("/apis/coordination.k8s.io/v1/namespaces/shop/leases/pairvm-orders");
        assertThat(server.asked)
                .extracting(asked -> asked.headers().get("authorization"))
                .containsExactly("Bearer first-token", "Bearer second-token");
    }

    @Test
    void aSwapKeepsWhatIsNotOurs() {
        haveRead();
        server.next(RogueApiServer.answer(200, lease("42", 18, "b", "b", "n-18")));
        assertThat(swap("41")).isEqualTo(new CasResult.Applied("42"));
        RogueApiServer.Asked put = server.asked.getFirst();
        assertThat(put.method()).isEqualTo("PUT");
        assertThat(put.body())
                .contains("\"resourceVersion\":\"41\"", "\"holderIdentity\":\"b\"", "\"leaseTransitions\":18")
                .contains("\"pairvm.dev/in-sync\":\"b\"", "\"pairvm.dev/nonce\":\"n-18\"")
                .contains(
                        "\"fieldOfTomorrow\":{\"kept\":[1,2,3]}",
                        "\"strategyOfTomorrow\":\"kept\"",
                        "\"mine\":\"kept\"")
                .contains("\"other.example/x\":\"kept\"", "\"addresses.pairvm.dev/a\":\"10.0.0.1:7400\"")
                .contains("\"ownerReferences\":[{\"uid\":\"o-1\",\"kind\":\"ProtectedVM\"}]");
    }

    @Test
    void aSwapOnAVersionNotSeenReadsFirst() {
        server.next(
                RogueApiServer.answer(200, lease("41", 17, "a", "a,b", "n-17")),
                RogueApiServer.answer(200, lease("42", 18, "b", "b", "n-18")));
        assertThat(swap("41")).isEqualTo(new CasResult.Applied("42"));
        assertThat(server.asked).extracting(RogueApiServer.Asked::method).containsExactly("GET", "PUT");
    }

    @Test
    void aSwapOnAVersionThatHasPassedIsAConflictAndNothingIsWritten() {
        server.next(RogueApiServer.answer(200, lease("43", 19, "a", "a", "n-19")));
        assertThat(swap("41"))
                .isInstanceOfSatisfying(
                        CasResult.Conflict.class,
                        conflict -> assertThat(conflict.now().version()).isEqualTo("43"));
        assertThat(server.asked).extracting(RogueApiServer.Asked::method).containsExactly("GET");
    }

    @Test
    void aRefusedSwapIsReadAgain() {
        haveRead();
        server.next(
                RogueApiServer.answer(409, CONFLICT), RogueApiServer.answer(200, lease("43", 18, "a", "a", "n-other")));
        assertThat(swap("41"))
                .isInstanceOfSatisfying(
                        CasResult.Conflict.class,
                        conflict -> assertThat(conflict.now().arbiter().nonce()).isEqualTo("n-other"));
        haveRead();
        server.next(RogueApiServer.answer(409, CONFLICT), RogueApiServer.answer(500, "x"));
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
        haveRead();
        server.next(RogueApiServer.answer(409, CONFLICT), RogueApiServer.answer(404, NOT_FOUND));
        assertThat(swap("41")).isInstanceOf(CasResult.Missing.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 401, 403, 410, 422, 429, 500, 502, 503, 504, 302})
    void anOddStatusLeavesASwapUnresolvedAndAReadUnreachable(int status) {
        server.next(RogueApiServer.answer(status, "{\"kind\":\"Status\",\"message\":\"because\"}"));
        assertThat(read())
                .isInstanceOfSatisfying(
                        ReadResult.Unreachable.class,
                        unreachable -> assertThat(unreachable.why()).startsWith("API server answered " + status));
        haveRead();
        server.next(RogueApiServer.answer(status, "{\"kind\":\"Status\",\"message\":\"because\"}"));
        assertThat(swap("41"))
                .isInstanceOfSatisfying(
                        CasResult.Unresolved.class,
                        unresolved -> assertThat(unresolved.why()).startsWith("API server answered " + status));
    }

    @Test
    void aRequestThatIsNotAnsweredIsUnresolvedWhenItsTimeIsUp() {
        arbiter = new LeaseArbiter(vertx, vertx.getOrCreateContext(), access(server.port()), "pairvm-orders", 700);
        server.next(new Act.Silence());
        assertThat(read())
                .isInstanceOfSatisfying(
                        ReadResult.Unreachable.class,
                        unreachable -> assertThat(unreachable.why()).contains("700 ms"));
        haveRead(); // on a fresh connection
        server.next(new Act.Silence());
        assertThat(swap("41"))
                .isInstanceOfSatisfying(
                        CasResult.Unresolved.class,
                        unresolved -> assertThat(unresolved.why()).contains("700 ms"));
    }

    @Test
    void aResetAfterSendingIsUnresolved() {
        haveRead();
        server.next(new Act.Reset());
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
        assertThat(server.asked).as("a swap is sent once").hasSize(1);
        server.next(new Act.Reset());
        assertThat(read()).isInstanceOf(ReadResult.Unreachable.class);
    }

    @Test
    void whatNeverLeftIsUnreachable() throws Exception {
        haveRead();
        server.close();
        CasResult result = swap("41");
        // the kept connection may have been seen closed before or after the request went out
        assertThat(result).isInstanceOfAny(CasResult.Unreachable.class, CasResult.Unresolved.class);
        assertThat(swap("41")).isInstanceOf(CasResult.Unreachable.class);
        assertThat(read()).isInstanceOf(ReadResult.Unreachable.class);
    }

    @Test
    void aServerOfAnotherCaIsNotSpokenTo() throws Exception {
        try (RogueApiServer other = new RogueApiServer(folder.resolve("other"))) {
            LeaseArbiter misled =
                    new LeaseArbiter(vertx, vertx.getOrCreateContext(), access(other.port()), "pairvm-orders", 700);
            assertThat(ArbiterTests.<ReadResult>answer(misled::read)).isInstanceOf(ReadResult.Unreachable.class);
            assertThat(other.asked).isEmpty();
            misled.close();
        }
    }

    @Test
    void onlyTheApiServersOwnNotFoundIsMissing() {
        server.next(RogueApiServer.answer(404, NOT_FOUND));
        assertThat(read()).isEqualTo(new ReadResult.Missing());
        server.next(RogueApiServer.answer(404, "404 page not found"));
        assertThat(read()).isInstanceOf(ReadResult.Unreachable.class);
        haveRead();
        server.next(RogueApiServer.answer(404, NOT_FOUND));
        assertThat(swap("41")).isEqualTo(new CasResult.Missing());
        haveRead();
        server.next(RogueApiServer.answer(404, "404 page not found"));
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "{",
                "<html>captive portal</html>",
                "{\"kind\":\"Lease\"}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"}}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\"},\"spec\":{\"holderIdentity\":\"a\",\"leaseTransitions\":-1}}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\"},\"spec\":{\"holderIdentity\":\"a\",\"leaseTransitions\":1.5}}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\"},\"spec\":{\"holderIdentity\":7,\"leaseTransitions\":1}}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\",\"annotations\":{\"pairvm.dev/in-sync\":\"\",\"pairvm.dev/mode\":\"HA\",\"pairvm.dev/nonce\":\"x\"}},\"spec\":{\"holderIdentity\":\"a\",\"leaseTransitions\":1}}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\",\"annotations\":{\"pairvm.dev/in-sync\":\"a\",\"pairvm.dev/mode\":\"XX\",\"pairvm.dev/nonce\":\"x\"}},\"spec\":{\"holderIdentity\":\"a\",\"leaseTransitions\":1}}",
                "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\",\"annotations\":{\"pairvm.dev/in-sync\":\"a b\",\"pairvm.dev/mode\":\"HA\",\"pairvm.dev/nonce\":\"x\"}},\"spec\":{\"holderIdentity\":\"a\",\"leaseTransitions\":1}}",
                "{\"kind\":\"Lease\",\"kind\":\"Lease\"}",
                "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"1\"}}"
            })
    void aLeaseThatIsNoRecordIsMalformed(String body) {
        server.next(RogueApiServer.answer(200, body));
        assertThat(read()).isInstanceOf(ReadResult.Malformed.class);
        haveRead();
        server.next(RogueApiServer.answer(200, body));
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
    }

    @Test
    void deepNestingIsMalformed() {
        server.next(RogueApiServer.answer(200, "[".repeat(100_000)));
        assertThat(read()).isInstanceOf(ReadResult.Malformed.class);
    }

    @Test
    void aTwoHundredForAnotherRecordIsUnresolved() {
        haveRead();
        server.next(RogueApiServer.answer(200, lease("44", 18, "b", "b", "n-of-somebody-else")));
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
    }

    @Test
    void anAnswerThatIsTooLargeIsNotRead() {
        server.next(new Act.Flood(LeaseDocument.MOST_BYTES + 1));
        assertThat(read())
                .isInstanceOfSatisfying(
                        ReadResult.Malformed.class,
                        malformed -> assertThat(malformed.why()).contains("more than"));
        haveRead();
        server.next(new Act.Flood(LeaseDocument.MOST_BYTES + 1));
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "no http at all",
                "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"kind\":",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "HTTP/1.1 999999 X\r\n\r\n"
            })
    void brokenHttpIsNoAnswer(String bytes) {
        server.next(new Act.Raw(bytes));
        assertThat(read()).isInstanceOf(ReadResult.Unreachable.class);
        haveRead();
        server.next(new Act.Raw(bytes));
        assertThat(swap("41")).isInstanceOf(CasResult.Unresolved.class);
    }

    @Test
    void anAddressIsAnnouncedWithoutTouchingTheRest() {
        server.next(
                RogueApiServer.answer(200, lease("41", 17, "a", "a,b", "n-17")),
                RogueApiServer.answer(409, CONFLICT),
                RogueApiServer.answer(200, lease("42", 18, "b", "b", "n-18")),
                RogueApiServer.answer(200, lease("43", 18, "b", "b", "n-18")));
        AnnounceResult result =
                ArbiterTests.answer(answer -> arbiter.announceAddresses(B, List.of("10.0.0.2:7400"), answer));
        assertThat(result).isEqualTo(new AnnounceResult.Announced());
        assertThat(server.asked).extracting(RogueApiServer.Asked::method).containsExactly("GET", "PUT", "GET", "PUT");
        assertThat(server.asked.getLast().body())
                .contains(
                        "\"leaseTransitions\":18",
                        "\"resourceVersion\":\"42\"",
                        "\"addresses.pairvm.dev/b\":\"10.0.0.2:7400\"")
                .contains("\"addresses.pairvm.dev/a\":\"10.0.0.1:7400\"");
        server.asked.clear();
        server.next(RogueApiServer.answer(200, lease("43", 18, "b", "b", "n-18")));
        assertThat(ArbiterTests.<AnnounceResult>answer(
                        answer -> arbiter.announceAddresses(A, List.of("10.0.0.1:7400"), answer)))
                .isEqualTo(new AnnounceResult.Announced());
        assertThat(server.asked).as("it was there already").hasSize(1);
    }
}

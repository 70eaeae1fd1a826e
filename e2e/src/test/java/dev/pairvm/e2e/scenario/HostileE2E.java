package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.pairvm.e2e.hostile.BadOrder;
import dev.pairvm.e2e.hostile.ControlCaller;
import dev.pairvm.e2e.hostile.ForgedAuthority;
import dev.pairvm.e2e.hostile.LinkAttack;
import dev.pairvm.e2e.hostile.LinkIntruder;
import dev.pairvm.e2e.hostile.NbdAnswers;
import dev.pairvm.e2e.hostile.NbdAttack;
import dev.pairvm.e2e.hostile.NbdScript;
import dev.pairvm.e2e.hostile.Papers;
import dev.pairvm.e2e.hostile.PodProbe;
import dev.pairvm.e2e.machine.Machine;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Whoever speaks wrongly to a running machine gets a clear refusal, and nothing changes: not the arbiter's record, not the guest, not
 * one record of its write log.
 */
class HostileE2E extends Scenario {
    private static final String DISK = "root";
    private static final String MANIFESTS = "e2e-hostile-manifests";
    private static final String TLS = "TLSv1.3";
    /** A name that the operator never gave: its holder is a member by its certificate, and nobody's peer. */
    private static final String OUTSIDER = "zzz";

    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);
    private static final int FIRST_BYTES = 64 << 10;
    private static final int CROWD = 100;
    private static final ObjectMapper JSON = new ObjectMapper();

    private @Nullable Mirrors mirrorsOrNothing;
    private @Nullable StandStill before;

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @BeforeEach
    void lookAround() throws IOException {
        Mirrors mirrors = new Mirrors(client(), machine());
        mirrorsOrNothing = mirrors;
        before = StandStill.of(this, mirrors);
    }

    @AfterEach
    void nothingHasChanged() throws IOException {
        before().assertHeld(this, mirrors());
    }

    @AfterAll
    void removeManifests() {
        client().namespaces().withName(MANIFESTS).delete();
    }

    private KubernetesClient client() {
        return world().cluster().client();
    }

    private Mirrors mirrors() {
        return Objects.requireNonNull(mirrorsOrNothing);
    }

    private StandStill before() {
        return Objects.requireNonNull(before);
    }

    private String active() {
        return before().arbiter().active();
    }

    private String standby() {
        return before().arbiter().inSync().stream()
                .filter(copy -> !copy.equals(active()))
                .findFirst()
                .orElseThrow(() -> new AssertionError("the pair is not whole: " + before().arbiter()));
    }

    private List<String> both() {
        return List.of(active(), standby());
    }

    // -------------------------------------------------------------------------------------------------- disks' server

    private PodProbe probe(String copy) {
        return new PodProbe(
                client(),
                machine().namespace(),
                mirrors().pod(copy).getMetadata().getName());
    }

    @Test
    @DisplayName("lies during an NBD handshake: each gets its error or loses its connection, on both hosts")
    void nbdHandshake() {
        for (String copy : both()) {
            NbdAttack.onHandshake().forEach(attack -> attack(copy, attack));
        }
    }

    @Test
    @DisplayName("malformed NBD requests: each gets its error, and the stream stays in step")
    void nbdRequests() {
        NbdAttack.onTransmission(DISK).forEach(attack -> attack(active(), attack));
    }

    private void attack(String copy, NbdAttack attack) {
        PodProbe.Answer answer = probe(copy).send(attack.script().bytes(), attack.zeros(), ANSWER_LIMIT);
        assertThat(NbdAnswers.lines(answer)).as("copy %s: %s", copy, attack).isEqualTo(attack.answers());
        before().assertHeld(this, attack.lie());
    }

    @Test
    @DisplayName("NBD requests that break off in the middle change no byte of the disk")
    void nbdRequestsBreakOff() {
        byte[] bytes = firstBytes();
        PodProbe probe = probe(active());
        probe.sendAndHangUp(
                NbdScript.opened(DISK).hex("25609513 0000 0001 00000000").bytes(), ANSWER_LIMIT);
        probe.sendAndHangUp(
                NbdScript.opened(DISK)
                        .request(NbdScript.WRITE, 0, 0, FIRST_BYTES)
                        .payload(FIRST_BYTES / 2)
                        .bytes(),
                ANSWER_LIMIT);
        probe.sendAndHangUp(
                NbdScript.opened(DISK).request(NbdScript.READ, 0, 0, 16 << 20).bytes(), ANSWER_LIMIT);

        assertThat(firstBytes()).isEqualTo(bytes);
    }

    private byte[] firstBytes() {
        PodProbe.Answer answer = probe(active())
                .send(
                        NbdScript.opened(DISK)
                                .request(NbdScript.READ, 0, 0, FIRST_BYTES)
                                .goodbye()
                                .bytes(),
                        0,
                        ANSWER_LIMIT);
        assertThat(answer.end()).isEqualTo("closed");
        return NbdAnswers.lastRead(answer, FIRST_BYTES);
    }

    // ----------------------------------------------------------------------------------------------------------- link

    private InetAddress reachable(String copy, int port) {
        InetAddress address = mirrors().address(copy);
        Assumptions.assumeTrue(
                LinkIntruder.isReachable(address, port),
                () -> "port " + port + " of " + address
                        + " is kept from strangers by the cluster: nothing to try from here");
        return address;
    }

    @Test
    @DisplayName("garbage on the link's port, without TLS, in crowds and in datagrams: closed in time, nobody greeted")
    void garbageOnTheLink() throws IOException {
        for (String copy : both()) {
            LinkIntruder intruder = new LinkIntruder(reachable(copy, LinkIntruder.PORT));
            for (byte[] garbage : garbage()) {
                LinkIntruder.Outcome outcome = intruder.plain(garbage);
                assertThat(outcome.greeted()).as("greeted without TLS").isFalse();
                assertThat(outcome.end())
                        .as("%d bytes of garbage", garbage.length)
                        .isEqualTo("closed");
            }
            assertThat(intruder.crowd(CROWD))
                    .as("silent connections that were never closed")
                    .isZero();
            intruder.datagrams(garbage().stream()
                    .filter(each -> each.length <= 1400)
                    .flatMap(each -> Stream.generate(() -> each).limit(CROWD))
                    .toList());
            before().assertHeld(this, "garbage for copy " + copy);
            assertThat(mirrors().log(copy)).contains("refused: TLS failed");
        }
    }

    private static List<byte[]> garbage() {
        Random dice = new Random(20261124);
        byte[] noise = new byte[64 << 10];
        dice.nextBytes(noise);
        byte[] beacon = new byte[80];
        dice.nextBytes(beacon);
        System.arraycopy("PVMB\u0001".getBytes(StandardCharsets.US_ASCII), 0, beacon, 0, 5);
        return List.of(
                noise,
                beacon,
                "GET / HTTP/1.1\r\nHost: mirror\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
                // A TLS record that claims a handshake message longer than any.
                new byte[] {0x16, 0x03, 0x01, 0x40, 0x00, 0x01, (byte) 0xff, (byte) 0xff, (byte) 0xff},
                // A whole frame, where TLS should be.
                dev.pairvm.e2e.hostile.LinkScript.greeted(OUTSIDER, OUTSIDER).bytes());
    }

    @Test
    @DisplayName(
            "wrong certificates on the link: self-signed, of another authority, of another machine, the operator's, none")
    void wrongCertificatesOnTheLink() throws GeneralSecurityException {
        for (String copy : both()) {
            LinkIntruder intruder = new LinkIntruder(reachable(copy, LinkIntruder.PORT));
            strangers().forEach((who, papers) -> {
                LinkIntruder.Outcome outcome = intruder.tls(papers.shown(), TLS, new byte[0]);
                assertThat(outcome.greeted())
                        .as("copy %s greeted %s", copy, who)
                        .isFalse();
                assertThat(outcome.end()).as("copy %s and %s", copy, who).isNotEqualTo("silent");
                before().assertHeld(this, who);
                assertThat(mirrors().log(copy)).as("%s", who).contains("refused: " + papers.reasonOnTheLink());
            });
            LinkIntruder.Outcome old = intruder.tls(Optional.of(member(copy)), "TLSv1.2", new byte[0]);
            assertThat(old.greeted()).as("greeted over TLS 1.2").isFalse();
        }
    }

    /** What somebody shows, and a part of what the link says of it in its log. */
    private record Stranger(Optional<Papers> shown, String reasonOnTheLink) {}

    private Map<String, Stranger> strangers() throws GeneralSecurityException {
        ForgedAuthority ours = ForgedAuthority.ofInstallation(client(), OperatorAbsence.NAMESPACE);
        ForgedAuthority other = ForgedAuthority.unknown();
        String noDescendant = "its certificate does not descend from the machine's CA";
        Map<String, Stranger> strangers = new LinkedHashMap<>();
        strangers.put("nobody, without a certificate", new Stranger(Optional.empty(), "TLS failed"));
        strangers.put(
                "the peer's name, self-signed",
                new Stranger(Optional.of(ForgedAuthority.selfSigned(nameOf(standby()))), noDescendant));
        strangers.put(
                "the peer's name, by another authority",
                new Stranger(Optional.of(other.issue(Optional.of(nameOf(standby())))), noDescendant));
        strangers.put(
                "the operator's name, by another authority",
                new Stranger(Optional.of(other.issue(Optional.of("pairvm://operator"))), noDescendant));
        strangers.put(
                "a copy of another machine, by our authority",
                new Stranger(
                        Optional.of(ours.issue(Optional.of("pairvm://00000000-0000-0000-0000-000000000000/b"))),
                        "wrong identity: it is copy b of machine 00000000"));
        strangers.put(
                "the operator, by our authority",
                new Stranger(
                        Optional.of(ours.issue(Optional.of("pairvm://operator"))),
                        "wrong identity: it is the operator"));
        strangers.put(
                "a certificate without a name, by our authority",
                new Stranger(Optional.of(ours.issue(Optional.empty())), "wrong identity: it is a stranger"));
        return strangers;
    }

    private String machineUid() {
        return machine().object().path("metadata").path("uid").asText();
    }

    private String nameOf(String copy) {
        return "pairvm://" + machineUid() + "/" + copy;
    }

    private Papers member(String copy) throws GeneralSecurityException {
        return ForgedAuthority.ofInstallation(client(), OperatorAbsence.NAMESPACE)
                .issue(Optional.of(nameOf(copy)));
    }

    @Test
    @DisplayName(
            "malformed frames by the holder of a good certificate: each is told its fault, and loses its connection")
    void malformedFrames() throws IOException, GeneralSecurityException {
        Papers outsider = member(OUTSIDER);
        for (String copy : both()) {
            LinkIntruder intruder = new LinkIntruder(reachable(copy, LinkIntruder.PORT));
            for (LinkAttack attack : LinkAttack.all(machineUid(), OUTSIDER)) {
                LinkIntruder.Outcome outcome =
                        intruder.tls(Optional.of(outsider), TLS, attack.script().bytes());
                assertThat(outcome.greeted()).as("a member is greeted").isTrue();
                assertThat(outcome.reasons())
                        .as("copy %s: %s", copy, attack)
                        .singleElement()
                        .asString()
                        .contains(attack.reason());
                assertThat(outcome.end()).as("copy %s: %s", copy, attack).isNotEqualTo("silent");
                before().assertHeld(this, attack.lie());
            }
        }
        assertThat(reportOf(active()).path("peer"))
                .as("the peer in the active's report")
                .isEqualTo(JSON.readTree("{\"copy\":\"%s\",\"connected\":true}".formatted(standby())));
    }

    /** A mirror's report, with of its peer only what an attack could change. */
    private JsonNode reportOf(String copy) throws IOException, GeneralSecurityException {
        try (ControlCaller caller = new ControlCaller(reachable(copy, ControlCaller.PORT), operator())) {
            ObjectNode report =
                    (ObjectNode) JSON.readTree(caller.get("/v1/report").body());
            ((ObjectNode) report.path("peer")).retain("copy", "connected");
            return report;
        }
    }

    // --------------------------------------------------------------------------------------------------- control port

    @Test
    @DisplayName("the control port does not speak with those whose certificate it can not trust")
    void wrongCertificatesOnTheControlPort() throws GeneralSecurityException {
        String order = BadOrder.tempting(before().arbiter().epoch());
        Map<String, Optional<Papers>> strangers = new LinkedHashMap<>();
        strangers.put("nobody", Optional.empty());
        strangers.put("self-signed", Optional.of(ForgedAuthority.selfSigned("pairvm://operator")));
        strangers.put(
                "another authority", Optional.of(ForgedAuthority.unknown().issue(Optional.of("pairvm://operator"))));
        for (String copy : both()) {
            InetAddress address = reachable(copy, ControlCaller.PORT);
            strangers.forEach((who, papers) -> {
                try (ControlCaller caller = new ControlCaller(address, papers, TLS)) {
                    assertThatIOException().as(who).isThrownBy(() -> caller.get("/v1/report"));
                    assertThatIOException().as(who).isThrownBy(() -> caller.post("/v1/orders", order));
                }
                before().assertHeld(this, who);
            });
            try (ControlCaller old = new ControlCaller(address, Optional.of(operator()), "TLSv1.2")) {
                assertThatIOException().as("TLS 1.2").isThrownBy(() -> old.get("/v1/report"));
            }
        }
    }

    private Papers operator() throws GeneralSecurityException {
        return ForgedAuthority.ofInstallation(client(), OperatorAbsence.NAMESPACE)
                .issue(Optional.of("pairvm://operator"));
    }

    @Test
    @DisplayName("orders of a stranger, of another machine's copy and of the machine's own copy: 403, and why")
    void ordersOfOthers() throws IOException, GeneralSecurityException {
        ForgedAuthority ours = ForgedAuthority.ofInstallation(client(), OperatorAbsence.NAMESPACE);
        String order = BadOrder.tempting(before().arbiter().epoch());
        Map<Papers, String> others = new LinkedHashMap<>();
        others.put(ours.issue(Optional.empty()), "you are a stranger");
        others.put(ours.issue(Optional.of("pairvm://other-machine/a")), "you are copy a of machine other-machine");
        others.put(ours.issue(Optional.of("pairvm://operator/x")), "you are a stranger");
        for (String copy : both()) {
            InetAddress address = reachable(copy, ControlCaller.PORT);
            for (Map.Entry<Papers, String> other : others.entrySet()) {
                try (ControlCaller caller = new ControlCaller(address, other.getKey())) {
                    assertRefused(caller.get("/v1/report"), 403, other.getValue());
                    assertRefused(caller.get("/v1/events"), 403, other.getValue());
                    assertRefused(caller.post("/v1/orders", order), 403, other.getValue());
                }
                before().assertHeld(this, other.getValue());
            }
            try (ControlCaller peer = new ControlCaller(address, member(standby()))) {
                assertThat(peer.get("/v1/report").status())
                        .as("a copy may read its own machine's report")
                        .isEqualTo(200);
                assertRefused(peer.post("/v1/orders", order), 403, "only the operator gives orders; you are copy");
            }
        }
    }

    @Test
    @DisplayName("orders with the operator's certificate: stale 409, impossible 409, malformed 400, too long 413")
    void badOrdersOfTheOperator() throws IOException, GeneralSecurityException {
        long epoch = before().arbiter().epoch();
        List<BadOrder> orders = new ArrayList<>(BadOrder.stale(epoch - 1, epoch, standby()));
        orders.addAll(BadOrder.stale(0, epoch, standby()));
        orders.addAll(BadOrder.impossible(epoch, active()));
        orders.addAll(BadOrder.malformed(epoch, standby()));
        InetAddress address = reachable(active(), ControlCaller.PORT);
        for (BadOrder order : orders) {
            try (ControlCaller caller = new ControlCaller(address, operator())) {
                assertRefused(caller.post("/v1/orders", order.json()), order.status(), order.answer());
            }
            before().assertHeld(this, order.fault());
        }
        InetAddress other = reachable(standby(), ControlCaller.PORT);
        for (BadOrder order : BadOrder.stale(epoch - 1, epoch, standby())) {
            try (ControlCaller caller = new ControlCaller(other, operator())) {
                assertRefused(caller.post("/v1/orders", order.json()), order.status(), order.answer());
            }
        }
        try (ControlCaller caller = new ControlCaller(address, operator())) {
            assertRefused(caller.get("/v1/orders"), 405, "/v1/orders takes POST");
            assertRefused(caller.post("/v1/report", "{}"), 405, "/v1/report takes GET");
            assertRefused(caller.get("/v2/report"), 404, "there is /v1/report");
            assertRefused(caller.get("/../../etc/pairvm/tls/tls.key"), 404, "there is /v1/report");
        }
    }

    private static void assertRefused(ControlCaller.Answer answer, int status, String words) {
        assertThat(answer.status()).as("status of: %s", answer.body()).isEqualTo(status);
        assertThat(answer.body()).contains(words);
    }

    // ------------------------------------------------------------------------------------------------------ manifests

    private HostileManifests manifests() {
        client().namespaces()
                .resource(new NamespaceBuilder()
                        .withNewMetadata()
                        .withName(MANIFESTS)
                        .endMetadata()
                        .build())
                .serverSideApply();
        return new HostileManifests(client(), MANIFESTS);
    }

    @TestFactory
    @DisplayName("a manifest for every rule: refused by it, and what was there before stays")
    Stream<DynamicTest> manifestsAreRefused() throws IOException {
        HostileManifests manifests = manifests();
        return HostileManifests.invalid().stream().map(file -> refused(manifests, file));
    }

    private static DynamicTest refused(HostileManifests manifests, Path file) {
        return DynamicTest.dynamicTest(file.getFileName().toString(), () -> manifests.assertRefused(file));
    }

    @Test
    @DisplayName("template fields that can not be honoured: SpecValid=False names their paths, and nothing is made")
    void unsupportedFields() throws IOException {
        HostileManifests manifests = manifests();
        Machine refused = new Machine(client(), MANIFESTS, "orders");
        GenericKubernetesResource applied =
                manifests.applyFirst(HostileManifests.file("valid-unsupported-field-is-kept.yaml"));
        try {
            refused.awaitCondition("SpecValid", "False", Duration.ofMinutes(1));

            assertThat(message(refused.status(), "SpecValid"))
                    .contains("spec.template.spec.domain.devices.gpus")
                    .contains("spec.template.spec.domain.devices.disks[1].cache");
            assertThat(Machine.condition(refused.status(), "Ready")).isEqualTo("False");
            assertThat(client().leases().inNamespace(MANIFESTS).list().getItems())
                    .as("leases")
                    .isEmpty();
            assertThat(client().pods().inNamespace(MANIFESTS).list().getItems())
                    .as("pods")
                    .isEmpty();
            assertThat(client().persistentVolumeClaims()
                            .inNamespace(MANIFESTS)
                            .list()
                            .getItems())
                    .as("claims")
                    .isEmpty();
        } finally {
            manifests.remove(applied);
        }
    }

    private static String message(JsonNode status, String type) {
        for (JsonNode condition : status.path("conditions")) {
            if (condition.path("type").asText().equals(type)) {
                return condition.path("message").asText();
            }
        }
        return "";
    }
}

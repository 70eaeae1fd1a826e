package dev.pairvm.mirror.arbiter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.EpochLease;
import dev.pairvm.testing.RealApiServer;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Lease in a real API server with a real etcd behind it. */
@SuppressWarnings("NullAway.Init") // set before each test
class LeaseArbiterClusterTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");

    @TempDir
    Path folder;

    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final KubernetesClient cluster = RealApiServer.shared().client();
    private String namespace;
    private KubernetesAccess access;

    @BeforeEach
    void provision() throws Exception {
        namespace = RealApiServer.shared().newNamespace(cluster, "arbiter");
        Config config = RealApiServer.shared().config().build();
        Files.writeString(folder.resolve("token"), config.getOauthToken());
        URI url = URI.create(config.getMasterUrl());
        access = new KubernetesAccess(
                url.getHost(), url.getPort(), folder.resolve("token"), Path.of(config.getCaCertFile()), namespace);
        ArbiterRecord first = record(1, A, "operator", A);
        cluster.resource(new LeaseBuilder()
                        .withNewMetadata()
                        .withName("pairvm-orders")
                        .withNamespace(namespace)
                        .withLabels(java.util.Map.of("kept", "yes"))
                        .withFinalizers("example.com/kept")
                        .withAnnotations(EpochLease.annotations(first))
                        .endMetadata()
                        .withNewSpec()
                        .withHolderIdentity("a")
                        .withLeaseTransitions(1)
                        .endSpec()
                        .build())
                .create();
    }

    @AfterEach
    void close() throws Exception {
        cluster.close();
        vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private LeaseArbiter arbiter() {
        return new LeaseArbiter(vertx, vertx.getOrCreateContext(), access, "pairvm-orders", 10_000);
    }

    private static ArbiterRecord record(long epoch, CopyId active, String nonce, CopyId... inSync) {
        return new ArbiterRecord(
                new Epoch(epoch),
                active,
                new TreeSet<>(List.of(inSync)),
                ArbiterRecord.Mode.HA,
                nonce,
                new TreeMap<>());
    }

    private static ReadResult read(Arbiter arbiter) {
        return ArbiterTests.answer(arbiter::read);
    }

    private static CasResult swap(Arbiter arbiter, String version, ArbiterRecord next) {
        return ArbiterTests.answer(answer -> arbiter.compareAndSwap(version, next, answer));
    }

    @Test
    void twoMirrorsRaceAndOneWins() {
        List<LeaseArbiter> mirrors = List.of(arbiter(), arbiter(), arbiter(), arbiter());
        String version = ((ReadResult.Read) read(mirrors.getFirst())).version();
        List<CompletableFuture<CasResult>> answers = new ArrayList<>();
        for (int i = 0; i < mirrors.size(); i++) {
            CompletableFuture<CasResult> answer = new CompletableFuture<>();
            mirrors.get(i).compareAndSwap(version, record(2, B, "n" + i, B), answer::complete);
            answers.add(answer);
        }
        List<CasResult> results = answers.stream().map(CompletableFuture::join).toList();
        assertThat(results).filteredOn(CasResult.Applied.class::isInstance).hasSize(1);
        assertThat(results).filteredOn(CasResult.Conflict.class::isInstance).hasSize(3);
        Lease lease = cluster.leases()
                .inNamespace(namespace)
                .withName("pairvm-orders")
                .get();
        assertThat(lease.getSpec().getLeaseTransitions()).isEqualTo(2);
        assertThat(lease.getSpec().getHolderIdentity()).isEqualTo("b");
        assertThat(lease.getMetadata().getLabels()).containsEntry("kept", "yes");
        assertThat(lease.getMetadata().getFinalizers()).containsExactly("example.com/kept");
        mirrors.forEach(LeaseArbiter::close);
    }

    @Test
    void aChainOfEpochsNeedsNoReadInBetween() {
        LeaseArbiter arbiter = arbiter();
        String version = ((ReadResult.Read) read(arbiter)).version();
        for (int epoch = 2; epoch < 12; epoch++) {
            CasResult result = swap(arbiter, version, record(epoch, epoch % 2 == 0 ? B : A, "n" + epoch, A, B));
            assertThat(result).isInstanceOf(CasResult.Applied.class);
            version = ((CasResult.Applied) result).version();
        }
        assertThat(((ReadResult.Read) read(arbiter)).arbiter().epoch()).isEqualTo(new Epoch(11));
        arbiter.close();
    }

    @Test
    void addressesOfBothAreKeptThroughASwapByTheOther() {
        LeaseArbiter a = arbiter();
        LeaseArbiter b = arbiter();
        String version = ((ReadResult.Read) read(a)).version();
        AnnounceResult announced = ArbiterTests.answer(
                answer -> b.announceAddresses(B, List.of("10.0.0.2:7400", "[fd00::2]:7400"), answer));
        assertThat(announced).isEqualTo(new AnnounceResult.Announced());
        assertThat(swap(a, version, record(2, A, "x", A))).isInstanceOf(CasResult.Conflict.class);
        version = ((ReadResult.Read) read(a)).version();
        assertThat(swap(a, version, record(2, A, "x", A))).isInstanceOf(CasResult.Applied.class);
        assertThat(((ReadResult.Read) read(b)).arbiter().addresses())
                .containsEntry(B, List.of("10.0.0.2:7400", "[fd00::2]:7400"));
        a.close();
        b.close();
    }

    @Test
    void aDeletedLeaseIsMissing() {
        LeaseArbiter arbiter = arbiter();
        String version = ((ReadResult.Read) read(arbiter)).version();
        var lease = cluster.leases().inNamespace(namespace).withName("pairvm-orders");
        lease.edit(l -> new LeaseBuilder(l)
                .editMetadata()
                .withFinalizers(List.of())
                .endMetadata()
                .build());
        lease.delete();
        // the version moved before it went: refused or gone, never applied
        assertThat(swap(arbiter, version, record(2, A, "x", A)))
                .isInstanceOfAny(CasResult.Missing.class, CasResult.Unresolved.class);
        assertThat(read(arbiter)).isEqualTo(new ReadResult.Missing());
        arbiter.close();
    }

    @Test
    void withoutTheRightItIsUnreachableWithTheReason() throws Exception {
        Files.writeString(folder.resolve("token"), "no-such-token");
        LeaseArbiter arbiter = arbiter();
        assertThat(read(arbiter))
                .isInstanceOfSatisfying(
                        ReadResult.Unreachable.class,
                        unreachable -> assertThat(unreachable.why()).contains("401"));
        arbiter.close();
    }
}

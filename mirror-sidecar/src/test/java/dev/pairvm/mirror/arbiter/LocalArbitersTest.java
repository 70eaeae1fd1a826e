package dev.pairvm.mirror.arbiter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocalArbitersTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");

    @TempDir
    Path folder;

    private static ArbiterRecord at(long epoch, CopyId active, String nonce) {
        return new ArbiterRecord(
                new Epoch(epoch), active, new TreeSet<>(List.of(A, B)), ArbiterRecord.Mode.HA, nonce, new TreeMap<>());
    }

    private Arbiter arbiter(String kind) throws Exception {
        if (kind.equals("file")) {
            Path file = folder.resolve("arbiter.json");
            FileArbiter.provision(file, at(1, A, "first"));
            return new FileArbiter(file, Runnable::run);
        }
        return new InMemoryArbiter(new InMemoryArbiter.Store(at(1, A, "first")), Runnable::run);
    }

    private static CasResult swap(Arbiter arbiter, String version, ArbiterRecord next) {
        return ArbiterTests.answer(answer -> arbiter.compareAndSwap(version, next, answer));
    }

    @ParameterizedTest
    @ValueSource(strings = {"file", "memory"})
    void ofManySwapsOnOneVersionOneIsApplied(String kind) throws Exception {
        Arbiter arbiter = arbiter(kind);
        ReadResult.Read first = (ReadResult.Read) ArbiterTests.<ReadResult>answer(arbiter::read);
        List<CompletableFuture<CasResult>> answers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            CompletableFuture<CasResult> answer = new CompletableFuture<>();
            answers.add(answer);
            arbiter.compareAndSwap(first.version(), at(2, B, "n" + i), answer::complete);
        }
        List<CasResult> results = answers.stream().map(CompletableFuture::join).toList();
        assertThat(results).filteredOn(CasResult.Applied.class::isInstance).hasSize(1);
        assertThat(results).filteredOn(CasResult.Conflict.class::isInstance).hasSize(7);
        ReadResult.Read now = (ReadResult.Read) ArbiterTests.<ReadResult>answer(arbiter::read);
        assertThat(now.arbiter().epoch()).isEqualTo(new Epoch(2));
        assertThat(now.uid()).isEqualTo(first.uid());
    }

    @ParameterizedTest
    @ValueSource(strings = {"file", "memory"})
    void addressesChangeNoEpochAndSurviveASwap(String kind) throws Exception {
        Arbiter arbiter = arbiter(kind);
        AnnounceResult announced =
                ArbiterTests.answer(answer -> arbiter.announceAddresses(B, List.of("10.0.0.2:7400"), answer));
        assertThat(announced).isEqualTo(new AnnounceResult.Announced());
        ReadResult.Read read = (ReadResult.Read) ArbiterTests.<ReadResult>answer(arbiter::read);
        assertThat(read.arbiter().epoch()).isEqualTo(new Epoch(1));
        assertThat(swap(arbiter, read.version(), at(2, B, "x"))).isInstanceOf(CasResult.Applied.class);
        ReadResult.Read after = (ReadResult.Read) ArbiterTests.<ReadResult>answer(arbiter::read);
        assertThat(after.arbiter().addresses()).containsEntry(B, List.of("10.0.0.2:7400"));
    }

    @Test
    void aLostAnswerIsUnresolvedThoughApplied() {
        InMemoryArbiter.Store store = new InMemoryArbiter.Store(at(1, A, "first"));
        InMemoryArbiter arbiter = new InMemoryArbiter(store, Runnable::run);
        arbiter.setMood(InMemoryArbiter.Mood.LOSES_ANSWERS);
        assertThat(swap(arbiter, "1", at(2, B, "x"))).isInstanceOf(CasResult.Unresolved.class);
        assertThat(((ReadResult.Read) store.read()).arbiter().epoch()).isEqualTo(new Epoch(2));
        arbiter.setMood(InMemoryArbiter.Mood.LOSES_REQUESTS);
        assertThat(swap(arbiter, "2", at(3, A, "y"))).isInstanceOf(CasResult.Unresolved.class);
        assertThat(((ReadResult.Read) store.read()).arbiter().epoch()).isEqualTo(new Epoch(2));
    }

    @Test
    void aDamagedFileIsMalformedAndAnAbsentOneMissing() throws Exception {
        Path file = folder.resolve("x.json");
        FileArbiter arbiter = new FileArbiter(file, Runnable::run);
        assertThat(ArbiterTests.<ReadResult>answer(arbiter::read)).isEqualTo(new ReadResult.Missing());
        assertThat(swap(arbiter, "1", at(2, B, "x"))).isEqualTo(new CasResult.Missing());
        Files.writeString(file, "{\"kind\":\"Lease\"");
        assertThat(ArbiterTests.<ReadResult>answer(arbiter::read)).isInstanceOf(ReadResult.Malformed.class);
    }
}

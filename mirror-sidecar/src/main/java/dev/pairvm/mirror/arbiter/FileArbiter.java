package dev.pairvm.mirror.arbiter;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * The record in a file that both mirrors see, as a Lease in JSON: for benchmarks and tests with real mirror processes on one
 * machine. Compare-and-swap by a lock file and an atomic rename; survives a kill at any point. No substitute for a store with a
 * quorum: the file's host is a single point of failure.
 */
public final class FileArbiter implements Arbiter {
    /** {@link FileChannel#lock} is per process; this one is for the threads of this process. */
    private static final ReentrantLock WITHIN_PROCESS = new ReentrantLock();

    private final Path file;
    private final Path lock;
    private final Executor loop;

    /** The record in {@code file}; the lock lies beside it. Callbacks run on {@code loop}. */
    public FileArbiter(Path file, Executor loop) {
        this.file = file;
        this.lock = beside(file, ".lock");
        this.loop = loop;
    }

    /** Writes the first record, as the operator's provisioning does. Fails if the file exists. */
    public static void provision(Path file, ArbiterRecord first) throws IOException {
        String name = String.valueOf(file.getFileName());
        byte[] json =
                LeaseDocument.create(name, UUID.randomUUID().toString(), first).toJson();
        Files.write(file, json, StandardOpenOption.CREATE_NEW);
    }

    @Override
    public void read(Consumer<ReadResult> answer) {
        inBackground(() -> {
            ReadResult result = readFile();
            loop.execute(() -> answer.accept(result));
        });
    }

    private ReadResult readFile() {
        try {
            return LeaseDocument.parse(Files.readAllBytes(file)).read();
        } catch (NoSuchFileException e) {
            return new ReadResult.Missing();
        } catch (LeaseDocument.NotALeaseException e) {
            return new ReadResult.Malformed(file + " is no Lease: " + e.getMessage());
        } catch (IOException e) {
            return new ReadResult.Unreachable(file + ": " + e);
        }
    }

    @Override
    public void compareAndSwap(String expectedVersion, ArbiterRecord next, Consumer<CasResult> answer) {
        inBackground(() -> {
            CasResult result = swap(expectedVersion, next);
            loop.execute(() -> answer.accept(result));
        });
    }

    private CasResult swap(String expectedVersion, ArbiterRecord next) {
        try {
            return locked(() -> {
                LeaseDocument lease = LeaseDocument.parse(Files.readAllBytes(file));
                if (!lease.version().equals(expectedVersion)) {
                    return lease.read() instanceof ReadResult.Read now
                            ? new CasResult.Conflict(now)
                            : new CasResult.Unresolved(file + " holds no record");
                }
                String version = InMemoryArbiter.after(expectedVersion);
                replace(lease.withRecord(next).withVersion(version));
                return new CasResult.Applied(version);
            });
        } catch (NoSuchFileException e) {
            return new CasResult.Missing();
        } catch (IOException | LeaseDocument.NotALeaseException e) {
            return new CasResult.Unresolved(file + ": " + e);
        }
    }

    @Override
    public void announceAddresses(CopyId own, List<String> addresses, Consumer<AnnounceResult> answer) {
        inBackground(() -> {
            AnnounceResult result;
            try {
                result = locked(() -> {
                    LeaseDocument lease = LeaseDocument.parse(Files.readAllBytes(file));
                    LeaseDocument changed = lease.withAddresses(own, addresses);
                    if (changed != lease) {
                        replace(changed.withVersion(InMemoryArbiter.after(lease.version())));
                    }
                    return new AnnounceResult.Announced();
                });
            } catch (IOException | LeaseDocument.NotALeaseException e) {
                result = new AnnounceResult.NotAnnounced(file + ": " + e);
            }
            AnnounceResult outcome = result;
            loop.execute(() -> answer.accept(outcome));
        });
    }

    @Override
    public void close() {}

    private void replace(LeaseDocument lease) throws IOException {
        Path fresh = beside(file, ".new");
        try (FileChannel channel = FileChannel.open(
                fresh, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            channel.write(java.nio.ByteBuffer.wrap(lease.toJson()));
            channel.force(true);
        }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private interface Locked<T> {
        T run() throws IOException, LeaseDocument.NotALeaseException;
    }

    private <T> T locked(Locked<T> body) throws IOException, LeaseDocument.NotALeaseException {
        WITHIN_PROCESS.lock();
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                var held = channel.lock()) {
            if (!held.isValid()) {
                throw new IOException("lock on " + lock + " was lost");
            }
            return body.run();
        } finally {
            WITHIN_PROCESS.unlock();
        }
    }

    private static Path beside(Path file, String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }

    private static void inBackground(Runnable work) {
        Thread.ofVirtual().name("file-arbiter").start(work);
    }
}

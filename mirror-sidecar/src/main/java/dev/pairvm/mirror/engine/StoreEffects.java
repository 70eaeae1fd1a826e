package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.ChunkHash;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.memory.Buffers;
import dev.pairvm.mirror.store.AsyncDisk;
import dev.pairvm.mirror.store.CopyStore;
import dev.pairvm.mirror.store.DiskException;
import dev.pairvm.mirror.store.IoCompletion;
import dev.pairvm.mirror.store.IoWorkers;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Carries out what the core wants of the local store. */
final class StoreEffects {
    /** EIO, for a failure whose number is not to be had. */
    private static final int EIO = 5;

    /** Longer writes run on a worker: they begin at once, while this loop enciphers their frame. */
    private static final int WAITS_FOR_FRAMES_BYTES = AsyncDisk.INLINE_BYTES;

    /** Objects kept for reuse; more exist only while more writes are under way. */
    private static final int MOST_KEPT = 256;

    private final CopyStore store;
    private final List<AsyncDisk> disks;
    private final IoWorkers workers;
    private final Executor loop;
    private final GuestRequests requests;
    private final PeerPort peer;
    private final Consumer<Event> core;
    private final PeerWrites peerWrites;
    /** The one under way is first. Bounded: the core has at most one of either kind outstanding. */
    private final ArrayDeque<Runnable> bookkeeping = new ArrayDeque<>();

    private final ArrayDeque<LocalWrite> freeWrites = new ArrayDeque<>();

    StoreEffects(
            CopyStore store,
            IoWorkers workers,
            Executor loop,
            GuestRequests requests,
            PeerPort peer,
            PeerWrites peerWrites,
            Consumer<Event> core) {
        this.store = store;
        this.disks = store.disks();
        this.workers = workers;
        this.loop = loop;
        this.requests = requests;
        this.peer = peer;
        this.peerWrites = peerWrites;
        this.core = core;
    }

    /**
     * A write of the guest. Where a frame carries it to the peer too, that frame leaves first: the peer's way is the longer one, and a
     * small write keeps this loop for as long as it takes. Either order is right, for nothing is answered before both are done.
     */
    void write(Effect.WriteLocal write) {
        LocalWrite local = localWrite(
                write.io(),
                write.disk(),
                write.offset(),
                write.length(),
                write.fua(),
                write.zero() ? null : requests.payload(write.request()));
        if (write.length() <= WAITS_FOR_FRAMES_BYTES && peer.holdsFrames()) {
            // The link flushes by a task that was queued when the frame was sent, thus before this one.
            loop.execute(local);
        } else {
            local.run();
        }
    }

    /** {@code payload} came with the peer's frame; absent for zeroes. */
    void write(Effect.WriteFromPeer write, @Nullable ByteBuf payload) {
        if (!write.zero() && payload == null) {
            throw new IllegalStateException("frame " + write.seq() + " of the peer has no payload");
        }
        LocalWrite local = localWrite(
                write.io(), write.disk(), write.offset(), write.length(), write.fua(), write.zero() ? null : payload);
        local.peers = true;
        peerWrites.begin(local);
    }

    private LocalWrite localWrite(long io, int disk, long offset, int length, boolean fua, @Nullable ByteBuf payload) {
        LocalWrite kept = freeWrites.poll();
        LocalWrite write = kept == null ? new LocalWrite() : kept;
        write.io = io;
        write.disk = disk;
        write.offset = offset;
        write.length = length;
        write.fua = fua;
        write.payload = payload == null ? null : payload.retain();
        write.peers = false;
        return write;
    }

    /** One write on its way to the store and back; used again when it is over. */
    private final class LocalWrite implements Runnable, IoCompletion, PeerWrites.Write {
        private long io;
        private int disk;
        private long offset;
        private int length;
        private boolean fua;
        private @Nullable ByteBuf payload;
        private boolean peers;

        @Override
        public int disk() {
            return disk;
        }

        @Override
        public long offset() {
            return offset;
        }

        @Override
        public int length() {
            return length;
        }

        @Override
        public boolean fua() {
            return fua;
        }

        @Override
        public @Nullable ByteBuf payload() {
            return payload;
        }

        @Override
        public void store() {
            run();
        }

        @Override
        public void ended(int errno) {
            long token = io;
            int at = disk;
            recycle();
            core.accept(
                    errno == 0
                            ? new Event.LocalWriteDone(token)
                            : new Event.LocalFailed(token, errno, Event.LocalFailed.Kind.WRITE, at));
        }

        private void recycle() {
            if (payload != null) {
                payload.release();
                payload = null;
            }
            if (freeWrites.size() < MOST_KEPT) {
                freeWrites.push(this);
            }
        }

        /** Begins it; zeroes where there is no payload. */
        @Override
        public void run() {
            ByteBuf bytes = payload;
            if (bytes == null) {
                disks.get(disk).zero(offset, length, true, fua, this);
            } else {
                disks.get(disk).write(offset, bytes, fua, this);
            }
        }

        @Override
        public void ioDone(@Nullable DiskException failure) {
            long token = io;
            int at = disk;
            boolean fromPeer = peers;
            recycle();
            if (fromPeer) {
                peerWrites.stored();
            }
            core.accept(
                    failure == null
                            ? new Event.LocalWriteDone(token)
                            : failed(token, failure, Event.LocalFailed.Kind.WRITE, at));
        }
    }

    void read(Effect.ReadLocal read) {
        // Retained: the request may be forgotten while a worker still reads into its buffer.
        ByteBuf target = requests.payload(read.request()).retain();
        disks.get(read.disk()).read(read.offset(), target, read.length(), failure -> {
            target.release();
            core.accept(
                    failure == null
                            ? new Event.LocalReadDone(read.io())
                            : failed(read.io(), failure, Event.LocalFailed.Kind.READ, read.disk()));
        });
    }

    /** As for a write: where the peer flushes too, it is told before this side's worker is woken. */
    void flush(Effect.FlushLocal flush) {
        if (peer.holdsFrames()) {
            loop.execute(() -> flushNow(flush));
        } else {
            flushNow(flush);
        }
    }

    private void flushNow(Effect.FlushLocal flush) {
        disks.get(flush.disk())
                .flush(failure -> core.accept(
                        failure == null
                                ? new Event.LocalFlushDone(flush.io())
                                : failed(flush.io(), failure, Event.LocalFailed.Kind.FLUSH, flush.disk())));
    }

    void hash(Effect.HashLocal hash) {
        workers.submit(() -> {
            Event answer;
            try {
                List<ChunkHash> hashes =
                        ChunkHasher.hash(disks.get(hash.disk()).store(), hash.offset(), hash.length(), hash.onDevice());
                answer = new Event.LocalHashed(hash.io(), hashes);
            } catch (DiskException e) {
                answer = failed(hash.io(), e, Event.LocalFailed.Kind.READ, hash.disk());
            }
            Event event = answer;
            loop.execute(() -> core.accept(event));
        });
    }

    void hash(Effect.HashPieces hash) {
        workers.submit(() -> {
            Event answer;
            try {
                answer = new Event.PiecesHashed(
                        hash.io(),
                        ChunkHasher.pieces(
                                disks.get(hash.disk()).store(),
                                hash.extent(),
                                hash.chunks(),
                                hash.diskBytes(),
                                hash.salt()));
            } catch (DiskException e) {
                answer = failed(hash.io(), e, Event.LocalFailed.Kind.READ, hash.disk());
            }
            Event event = answer;
            loop.execute(() -> core.accept(event));
        });
    }

    void sendChunk(CopyId to, Message.ResyncData message) {
        if (message.zero()) {
            peer.send(to, message, null);
            return;
        }
        ByteBuf buffer = Buffers.POOL.directBuffer(message.length(), message.length());
        disks.get(message.disk()).read(message.offset(), buffer, message.length(), failure -> {
            if (failure == null) {
                peer.send(to, message, buffer);
            } else {
                core.accept(new Event.ChunkUnreadable(message.seq(), errno(failure)));
            }
            buffer.release();
        });
    }

    /** Reads for the peer, whose own store can not. */
    void sendRange(Effect.SendRange send) {
        int length = send.message().length();
        ByteBuf buffer = Buffers.POOL.directBuffer(length, length);
        disks.get(send.disk()).read(send.offset(), buffer, length, failure -> {
            if (failure == null) {
                peer.send(send.peer(), send.message(), buffer);
                core.accept(new Event.LocalReadDone(send.io()));
            } else {
                core.accept(failed(send.io(), failure, Event.LocalFailed.Kind.READ, send.disk()));
            }
            buffer.release();
        });
    }

    void persist(Effect.PersistSuperblock persist) {
        store.persistSuperblock(
                persist.superblock(),
                persist.diskBytes(),
                failure -> core.accept(
                        failure == null
                                ? new Event.SuperblockPersisted(persist.token())
                                : failed(persist.token(), failure, Event.LocalFailed.Kind.METADATA)));
    }

    void makeRoom(Effect.MakeRoom room) {
        store.makeRoom(
                room.disk(),
                room.fromBytes(),
                room.toBytes(),
                why -> core.accept(
                        why.isEmpty() ? new Event.RoomMade(room.token()) : new Event.NoRoom(room.token(), why)));
    }

    void persist(Effect.PersistActivityLog persist) {
        inOrder(() -> store.persistActivityLog(
                persist.heat(), persist.cool(), persist.dirty(), failure -> bookkeeping(persist.token(), failure)));
    }

    void clear(Effect.ClearBookkeeping clear) {
        inOrder(() -> store.clearBookkeeping(clear.keepHot(), failure -> bookkeeping(clear.token(), failure)));
    }

    /** Safety: bookkeeping takes effect in the order in which the core named it, so one begins when the one before has ended. */
    private void inOrder(Runnable operation) {
        bookkeeping.add(operation);
        if (bookkeeping.size() == 1) {
            operation.run();
        }
    }

    private void bookkeeping(long token, @Nullable DiskException failure) {
        bookkeeping.remove();
        Runnable next = bookkeeping.peek();
        if (next != null) {
            next.run();
        }
        core.accept(
                failure == null
                        ? new Event.BookkeepingPersisted(token)
                        : failed(token, failure, Event.LocalFailed.Kind.METADATA));
    }

    private static Event failed(long io, DiskException failure, Event.LocalFailed.Kind kind) {
        return failed(io, failure, kind, Event.LocalFailed.NO_DISK);
    }

    private static Event failed(long io, DiskException failure, Event.LocalFailed.Kind kind, int disk) {
        return new Event.LocalFailed(io, errno(failure), kind, disk);
    }

    private static int errno(DiskException failure) {
        int number = failure.errno().number();
        return number > 0 ? number : EIO;
    }
}

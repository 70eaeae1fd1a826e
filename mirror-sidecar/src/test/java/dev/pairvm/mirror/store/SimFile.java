package dev.pairvm.mirror.store;

import dev.pairvm.mirror.store.DiskException.Operation;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * A disk in memory with a volatile cache, which can misbehave: fail, be full, stall, lose or tear what was not flushed, lose
 * power in the middle of a write.
 */
final class SimFile implements BlockFile {
    private static final int SECTOR = 512;

    /** The power went while this file was being written. */
    static final class PowerLost extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private byte[] cached;
    private byte[] durable;
    private @Nullable Errno writeError;
    private long badFrom;
    private long badTo;
    private @Nullable Errno readError;
    private @Nullable Errno nextFlushError;
    private long writesUntilPowerLoss = Long.MAX_VALUE;
    private Random random = new Random(0);
    private @Nullable CountDownLatch flushGate;
    private int flushes;
    private int mostCached = Integer.MAX_VALUE;
    private boolean closed;
    private long mostBytes = Integer.MAX_VALUE;

    SimFile(int size) {
        cached = new byte[size];
        durable = new byte[size];
    }

    private SimFile(byte[] surviving) {
        cached = surviving.clone();
        durable = surviving.clone();
    }

    /** Writes that touch this range fail. */
    synchronized void failWrites(long from, long to, Errno errno) {
        badFrom = from;
        badTo = to;
        writeError = errno;
    }

    /** Reads that touch this range fail. */
    synchronized void failReads(long from, long to, Errno errno) {
        badFrom = from;
        badTo = to;
        readError = errno;
    }

    /** The next flush fails; like on Linux the one after it would "succeed" although the data are gone. */
    synchronized void failNextFlush(Errno errno) {
        nextFlushError = errno;
    }

    /** Flushes wait until the latch is open. */
    synchronized void stallFlushes(CountDownLatch gate) {
        flushGate = gate;
    }

    /** Only the first so many bytes of each read are in the page cache. */
    synchronized void evictAllBut(int bytes) {
        mostCached = bytes;
    }

    /** The power goes during the n-th write from now (1 = the next), of which any sectors may have reached the disk. */
    synchronized void losePowerAtWrite(long n, long seed) {
        writesUntilPowerLoss = n;
        random = new Random(seed);
    }

    /** What is found after the power went: everything flushed, and of the rest any sectors. */
    synchronized SimFile afterPowerLoss(long seed) {
        Random coin = new Random(seed);
        byte[] surviving = durable.clone();
        for (int at = 0; at < surviving.length; at += SECTOR) {
            if (coin.nextBoolean()) {
                System.arraycopy(cached, at, surviving, at, Math.min(SECTOR, surviving.length - at));
            }
        }
        return new SimFile(surviving);
    }

    /** The file system is no larger. */
    synchronized void holdAtMost(long bytes) {
        mostBytes = bytes;
    }

    /** Flips a bit of what is stored. */
    synchronized void rot(int offset) {
        cached[offset] ^= 0x40;
        durable[offset] ^= 0x40;
    }

    synchronized void put(int offset, byte[] bytes) {
        System.arraycopy(bytes, 0, cached, offset, bytes.length);
        System.arraycopy(bytes, 0, durable, offset, bytes.length);
    }

    synchronized byte[] contents() {
        return cached.clone();
    }

    synchronized int flushes() {
        return flushes;
    }

    synchronized boolean isClosed() {
        return closed;
    }

    @Override
    public String path() {
        return "sim.img";
    }

    @Override
    public synchronized long sizeBytes() {
        return cached.length;
    }

    @Override
    public synchronized long mostBytes() {
        return mostBytes;
    }

    @Override
    public synchronized void read(long offset, long address, int length) throws DiskException {
        if (readError != null && offset < badTo && offset + length > badFrom) {
            throw new DiskException(path(), Operation.READ, offset, length, readError);
        }
        MemorySegment target = MemorySegment.ofAddress(address).reinterpret(length);
        int present = (int) Math.clamp(cached.length - offset, 0, length);
        target.fill((byte) 0);
        MemorySegment.copy(MemorySegment.ofArray(cached), (int) offset, target, 0, present);
    }

    @Override
    public int readCached(long offset, long address, int length) throws DiskException {
        int cachedBytes = Math.min(length, mostCached);
        read(offset, address, cachedBytes);
        return cachedBytes;
    }

    @Override
    public synchronized void write(long offset, long address, int length) throws DiskException {
        store(offset, address, length, false);
    }

    @Override
    public synchronized void writeDurably(long offset, long address, int length) throws DiskException {
        store(offset, address, length, true);
    }

    private void store(long offset, long address, int length, boolean durably) throws DiskException {
        if (writeError != null && offset < badTo && offset + length > badFrom) {
            throw new DiskException(path(), Operation.WRITE, offset, length, writeError);
        }
        MemorySegment source = MemorySegment.ofAddress(address).reinterpret(length);
        boolean powerGoes = --writesUntilPowerLoss == 0;
        for (int at = 0; at < length; at += SECTOR) {
            int piece = Math.min(SECTOR, length - at);
            MemorySegment.copy(source, at, MemorySegment.ofArray(cached), offset + at, piece);
            if (powerGoes ? random.nextBoolean() : durably) {
                System.arraycopy(cached, (int) offset + at, durable, (int) offset + at, piece);
            }
        }
        if (powerGoes) {
            throw new PowerLost();
        }
    }

    @Override
    public synchronized void zero(long offset, long length, Zeros zeros) throws DiskException {
        if (writeError != null && offset < badTo && offset + length > badFrom) {
            throw new DiskException(path(), Operation.ZERO, offset, length, writeError);
        }
        Arrays.fill(cached, (int) offset, (int) (offset + length), (byte) 0);
    }

    @Override
    public boolean zeroIsFast() {
        return true;
    }

    @Override
    public void flush() throws DiskException {
        CountDownLatch gate = flushGate;
        if (gate != null) {
            try {
                gate.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        synchronized (this) {
            flushes++;
            if (nextFlushError != null) {
                Errno errno = nextFlushError;
                nextFlushError = null;
                throw new DiskException(path(), Operation.FLUSH, 0, 0, errno);
            }
            durable = cached.clone();
        }
    }

    @Override
    public long nextData(long offset, long end) {
        return offset;
    }

    @Override
    public long nextHole(long offset, long end) {
        return end;
    }

    @Override
    public synchronized void resize(long sizeBytes) {
        cached = Arrays.copyOf(cached, (int) sizeBytes);
        durable = Arrays.copyOf(durable, (int) sizeBytes);
    }

    @Override
    public synchronized void close() {
        closed = true;
    }
}

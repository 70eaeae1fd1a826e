package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.store.WriteLog;
import dev.pairvm.mirror.store.WriteLog.Op;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * What a client was told about each sector, held against what a copy's disk was told: at every moment a copy in sync has in its cache
 * what was answered, or something newer, and has durably what was answered before a flush that was answered, or something newer. And
 * nothing that the client never wrote. Contents are compared by CRC32C.
 */
final class Promises {
    static final int SECTOR = 512;
    private static final long BEFORE_ALL = -1;
    private static final int ZEROS = crc(new byte[SECTOR], 0);

    private final @Nullable Versions[] bySector;
    private final List<Op> asked;

    /** What the client wrote to one sector, in the order in which it began. */
    private static final class Versions {
        final List<Version> all = new ArrayList<>();
    }

    private record Version(int crc, Op op) {}

    /** Something that ended. */
    private record Moment(long at, Op op, boolean ofClient) {}

    /** What the client of a disk of this size asked for, and was answered. */
    Promises(WriteLog client, long sizeBytes) {
        bySector = new @Nullable Versions[(int) (sizeBytes / SECTOR)];
        asked = client.ops();
        for (Op op : asked) {
            if (!op.isFlush()) {
                int[] crcs = crcs(client, op);
                for (int i = 0; i < crcs.length; i++) {
                    versions(first(op) + i).all.add(new Version(crcs[i], op));
                }
            }
        }
    }

    private Versions versions(int sector) {
        Versions known = bySector[sector];
        if (known == null) {
            known = new Versions();
            bySector[sector] = known;
        }
        return known;
    }

    private static int first(Op op) {
        return (int) (op.offset() / SECTOR);
    }

    private static int count(Op op) {
        return (int) (op.length() / SECTOR);
    }

    private static int crc(byte[] bytes, int at) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, at, SECTOR);
        return (int) crc.getValue();
    }

    private static int[] crcs(WriteLog log, Op op) {
        if (op.offset() % SECTOR != 0 || op.length() % SECTOR != 0) {
            throw new IllegalStateException("not whole sectors: " + op);
        }
        byte[] data = log.data(op);
        int[] crcs = new int[count(op)];
        for (int i = 0; i < crcs.length; i++) {
            crcs[i] = crc(data, i * SECTOR);
        }
        return crcs;
    }

    /**
     * Goes through what a copy's disk did, from its first write on.
     *
     * @param from when the copy came to be in sync; everything is looked at then
     * @param until when it ceased to be
     * @return how often a sector was compared
     * @throws AssertionError at the first promise that is not kept
     */
    long check(String copy, WriteLog disk, long from, long until) {
        return new Walk(copy, disk, from, until).run();
    }

    private final class Walk {
        private final String copy;
        private final WriteLog disk;
        private final long from;
        private final long until;
        private final int[] cached = new int[bySector.length];
        private final int[] durable = new int[bySector.length];
        private final long[] durableSince = new long[bySector.length];
        private final Deque<Op> volatileOps = new ArrayDeque<>();
        private final Deque<Op> unflushed = new ArrayDeque<>();
        /** What the client was answered before this is promised to be durable. */
        private long floor = BEFORE_ALL;

        private long compared;

        Walk(String copy, WriteLog disk, long from, long until) {
            this.copy = copy;
            this.disk = disk;
            this.from = from;
            this.until = until;
            java.util.Arrays.fill(cached, ZEROS);
            java.util.Arrays.fill(durable, ZEROS);
        }

        long run() {
            List<Moment> moments = new ArrayList<>();
            asked.stream().filter(Op::answered).forEach(op -> moments.add(new Moment(op.ended(), op, true)));
            disk.ops().stream().filter(Op::answered).forEach(op -> moments.add(new Moment(op.ended(), op, false)));
            moments.sort(Comparator.comparingLong(Moment::at));
            boolean began = false;
            for (Moment moment : moments) {
                if (moment.at() > until) {
                    break;
                }
                if (!began && moment.at() >= from) {
                    began = true;
                    for (int sector = 0; sector < bySector.length; sector++) {
                        cachedIsAsPromised(sector, moment.at() - 1);
                        durableIsAsPromised(sector, moment.at() - 1);
                    }
                }
                if (moment.ofClient()) {
                    clientAnswered(moment.op(), began);
                } else {
                    diskAnswered(moment.op(), began);
                }
            }
            return compared;
        }

        private void clientAnswered(Op op, boolean checking) {
            if (!op.isFlush()) {
                unflushed.add(op);
                for (int i = 0; checking && i < count(op); i++) {
                    cachedIsAsPromised(first(op) + i, op.ended());
                    if (op.isDurable()) {
                        durableIsAsPromised(first(op) + i, op.ended());
                    }
                }
                return;
            }
            floor = Math.max(floor, op.begun());
            while (!unflushed.isEmpty() && unflushed.getFirst().ended() < floor) {
                Op promised = unflushed.removeFirst();
                for (int i = 0; checking && i < count(promised); i++) {
                    durableIsAsPromised(first(promised) + i, op.ended());
                }
            }
        }

        private void diskAnswered(Op op, boolean checking) {
            if (!op.isFlush()) {
                int[] crcs = crcs(disk, op);
                System.arraycopy(crcs, 0, cached, first(op), crcs.length);
                for (int i = 0; checking && i < crcs.length; i++) {
                    cachedIsAsPromised(first(op) + i, op.ended());
                }
                if (op.isDurable()) {
                    nowDurable(op, op.ended(), checking);
                } else {
                    volatileOps.add(op);
                }
                return;
            }
            while (!volatileOps.isEmpty() && volatileOps.getFirst().ended() < op.begun()) {
                nowDurable(volatileOps.removeFirst(), op.ended(), checking);
            }
        }

        private void nowDurable(Op op, long now, boolean checking) {
            int[] crcs = crcs(disk, op);
            for (int i = 0; i < crcs.length; i++) {
                int sector = first(op) + i;
                if (durableSince[sector] < op.ended()) {
                    durableSince[sector] = op.ended();
                    durable[sector] = crcs[i];
                    if (checking) {
                        durableIsAsPromised(sector, now);
                    }
                }
            }
        }

        private void cachedIsAsPromised(int sector, long now) {
            compare("cache", sector, cached[sector], now + 1, now);
        }

        private void durableIsAsPromised(int sector, long now) {
            compare("durable state", sector, durable[sector], floor, now);
        }

        /** What was answered before {@code promisedBefore} is promised; what ended before the newest of that began is over. */
        private void compare(String where, int sector, int found, long promisedBefore, long now) {
            compared++;
            Versions versions = bySector[sector];
            List<Version> all = versions == null ? List.of() : versions.all;
            Op newest = null;
            for (Version version : all) {
                Op op = version.op();
                boolean promised =
                        op.answered() && (op.ended() < promisedBefore || op.isDurable() && op.ended() <= now);
                if (promised && (newest == null || op.begun() > newest.begun())) {
                    newest = op;
                }
            }
            if (newest == null && found == ZEROS) {
                return;
            }
            for (Version version : all) {
                Op op = version.op();
                boolean over = newest != null && op.ended() < newest.begun();
                if (version.crc() == found && op.begun() <= now && !over) {
                    return;
                }
            }
            throw new AssertionError("copy " + copy + " at " + now + ": sector " + sector + " in its " + where
                    + " is not what was promised by " + (newest == null ? "nothing" : newest) + "; known: "
                    + all.stream().map(Version::op).toList());
        }
    }
}

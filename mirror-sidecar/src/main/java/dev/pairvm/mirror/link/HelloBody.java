package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Message.Hello;
import dev.pairvm.mirror.core.Role;
import java.util.ArrayList;
import java.util.List;

/** The body of HELLO. Extents travel in runs (disk, first, count): what differs lies together as a rule. */
final class HelloBody {
    static final int MOST_UID = 64;
    static final int MOST_DISKS = 64;
    /** 8 TiB of extents; beyond, a comparison by extents has lost its point. */
    static final int MOST_EXTENTS = 2 << 20;

    private static final int RUN_BYTES = 2 + 4 + 4;
    private static final Role[] ROLES = Role.values();
    private static final CopyState[] STATES = CopyState.values();

    private HelloBody() {}

    static void write(BodyWriter out, Hello hello) {
        out.i32(hello.protocol())
                .text(hello.machineUid(), MOST_UID, "machineUid")
                .copy(hello.copy());
        out.i64(hello.life()).i64(hello.seed());
        out.u8(hello.role().ordinal()).u8(hello.state().ordinal());
        out.i64(hello.lineage().current()).i64(hello.lineage().base());
        out.count(hello.lineage().history().size(), Lineage.DEPTH, "history");
        hello.lineage().history().forEach(out::i64);
        out.count(hello.diskBytes().size(), MOST_DISKS, "diskBytes");
        hello.diskBytes().forEach(out::i64);
        writeRuns(out, hello.hot());
    }

    private static void writeRuns(BodyWriter out, List<Extent> extents) {
        if (extents.size() > MOST_EXTENTS) {
            throw new IllegalArgumentException(
                    "hot has " + extents.size() + " extents, at most " + MOST_EXTENTS + " can be sent");
        }
        for (int i = 0; i < extents.size(); ) {
            Extent first = extents.get(i);
            int count = 1;
            while (i + count < extents.size() && continues(first, count, extents.get(i + count))) {
                count++;
            }
            out.count(first.disk(), MOST_DISKS - 1, "disk of an extent")
                    .i32(first.index())
                    .i32(count);
            i += count;
        }
    }

    private static boolean continues(Extent first, int count, Extent next) {
        return next.disk() == first.disk() && (long) next.index() == (long) first.index() + count;
    }

    static Hello read(long epoch, BodyReader in) throws MalformedFrameException {
        int protocol = in.i32("protocol");
        String machineUid = in.text(MOST_UID, "machineUid");
        CopyId copy = in.copy("copy");
        long life = in.i64("life");
        long seed = in.i64("seed");
        Role role = in.oneOf(ROLES, "role");
        CopyState state = in.oneOf(STATES, "state");
        long current = in.i64("lineage");
        long base = in.i64("lineage base");
        List<Long> history = words(in, in.count(Lineage.DEPTH, "history"), "history");
        List<Long> diskBytes = words(in, in.count(MOST_DISKS, "diskBytes"), "diskBytes");
        List<Extent> hot = readRuns(in);
        return new Hello(
                protocol,
                epoch,
                machineUid,
                copy,
                life,
                seed,
                role,
                state,
                new Lineage(current, base, history),
                diskBytes,
                hot);
    }

    private static List<Long> words(BodyReader in, int count, String field) throws MalformedFrameException {
        List<Long> words = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            words.add(in.i64(field));
        }
        return List.copyOf(words);
    }

    private static List<Extent> readRuns(BodyReader in) throws MalformedFrameException {
        List<Extent> extents = new ArrayList<>();
        while (in.remaining() >= RUN_BYTES) {
            int disk = in.count(MOST_DISKS - 1, "disk of an extent");
            int first = in.i32("first extent");
            int count = in.i32("number of extents");
            if (first < 0 || count < 1 || (long) first + count > Integer.MAX_VALUE) {
                throw new MalformedFrameException("run of extents from " + first + " has " + count + " extents");
            }
            if (count > MOST_EXTENTS - extents.size()) {
                throw new MalformedFrameException("hot has more than " + MOST_EXTENTS + " extents");
            }
            for (int i = 0; i < count; i++) {
                extents.add(new Extent(disk, first + i));
            }
        }
        return extents;
    }
}

package dev.pairvm.mirror.core.model;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Breadth-first search over all states; seen states are remembered by a 64-bit fingerprint. */
final class Explorer {
    /**
     * What was found.
     *
     * @param violation the invariant broken, empty if none
     * @param path the actions that lead there, shortest first found
     * @param states distinct states seen
     */
    record Result(String violation, List<String> path, int states) {}

    private Explorer() {}

    static Result explore(Bounds bounds, Mutation mutation) {
        PairModel model = new PairModel(bounds, mutation);
        boolean oldSessionsMatter = mutation == Mutation.NO_SESSION_CHECK;
        Seen seen = new Seen();
        ArrayDeque<ModelState> open = new ArrayDeque<>();
        ModelState initial = ModelState.initial();
        open.add(initial);
        seen.add(initial.key(oldSessionsMatter));
        for (ModelState state = open.poll(); state != null; state = open.poll()) {
            String violation = state.violated();
            if (violation != null) {
                return new Result(violation, path(state), seen.count);
            }
            for (ModelState next : model.successors(state)) {
                if (seen.add(next.key(oldSessionsMatter))) {
                    open.add(next);
                }
            }
        }
        return new Result("", List.of(), seen.count);
    }

    private static List<String> path(ModelState end) {
        List<String> path = new ArrayList<>();
        for (ModelState state = end; state != null && state.parent != null; state = state.parent) {
            path.add(state.action);
        }
        Collections.reverse(path);
        return path;
    }

    /** Open addressing over fingerprints. */
    private static final class Seen {
        private long[] table = new long[1 << 20];
        private int count;

        boolean add(String key) {
            long a = 0xcbf29ce484222325L;
            long b = 0x9E3779B97F4A7C15L;
            for (int i = 0; i < key.length(); i++) {
                a = (a ^ key.charAt(i)) * 0x100000001b3L;
                b = Long.rotateLeft(b ^ key.charAt(i) * 0xff51afd7ed558ccdL, 27) * 0xc4ceb9fe1a85ec53L;
            }
            long print = a ^ b;
            print = (print ^ print >>> 33) * 0xff51afd7ed558ccdL;
            print ^= print >>> 33;
            if (count * 2 > table.length) {
                long[] old = table;
                table = new long[old.length * 2];
                count = 0;
                for (long each : old) {
                    if (each != 0) {
                        put(each);
                    }
                }
            }
            return put(print == 0 ? 1 : print);
        }

        private boolean put(long print) {
            int at = (int) print & table.length - 1;
            while (table[at] != 0) {
                if (table[at] == print) {
                    return false;
                }
                at = at + 1 & table.length - 1;
            }
            table[at] = print;
            count++;
            return true;
        }
    }
}

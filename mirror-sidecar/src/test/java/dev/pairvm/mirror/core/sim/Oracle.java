package dev.pairvm.mirror.core.sim;

import java.util.ArrayList;
import java.util.List;

/**
 * What a guest may ever see, per cell (16 KiB, the smallest unit of the simulated disks): the history of values with the times of
 * issue and acknowledgement. A value is <em>current</em> unless a later one was acknowledged; it may come back after a power loss
 * unless a later one is durable (acknowledged before a flush that was answered).
 */
final class Oracle {
    private static final long NEVER = Long.MAX_VALUE;

    private static final class Value {
        final long word;
        long issued;
        long acked;
        boolean durable;
        /** A guest has seen a later value, which need not be acknowledged yet. */
        long overtaken = NEVER;

        Value(long word, long issued, long acked, boolean durable) {
            this.word = word;
            this.issued = issued;
            this.acked = acked;
            this.durable = durable;
        }
    }

    private final List<List<Value>> cells = new ArrayList<>();
    private long clock;

    Oracle(int cellCount) {
        for (int i = 0; i < cellCount; i++) {
            List<Value> history = new ArrayList<>();
            history.add(new Value(0, 0, 0, true));
            cells.add(history);
        }
    }

    /** A point in the order of things; finer than time. */
    long point() {
        return ++clock;
    }

    void issued(int cell, long word, long at) {
        cells.get(cell).add(new Value(word, at, NEVER, false));
    }

    void acknowledged(int cell, long word, long issued, long at, boolean durable) {
        List<Value> history = cells.get(cell);
        for (int i = history.size() - 1; i >= 0; i--) {
            Value value = history.get(i);
            if (value.word == word && value.issued == issued) {
                value.acked = Math.min(value.acked, at);
                if (durable) {
                    makeDurable(cell, value);
                }
                return;
            }
        }
    }

    /** A flush issued at {@code since} was answered: what had been acknowledged by then is durable. */
    void flushed(int firstCell, int afterLast, long since) {
        for (int cell = firstCell; cell < afterLast; cell++) {
            List<Value> history = cells.get(cell);
            if (history.size() > 1) {
                for (Value value : List.copyOf(history)) {
                    if (value.acked < since && !value.durable) {
                        makeDurable(cell, value);
                    }
                }
            }
        }
    }

    private void makeDurable(int cell, Value durable) {
        durable.durable = true;
        cells.get(cell).removeIf(value -> value.acked < durable.issued);
    }

    /** Whether a read issued at that point may return the value. Zeroes may have been written more than once. */
    boolean mayRead(int cell, long word, long readIssued) {
        List<Value> history = cells.get(cell);
        for (int i = history.size() - 1; i >= 0; i--) {
            Value value = history.get(i);
            if (value.word == word && notOvertaken(history, value, readIssued)) {
                return true;
            }
        }
        return false;
    }

    private static boolean notOvertaken(List<Value> history, Value value, long readIssued) {
        if (value.overtaken < readIssued) {
            return false;
        }
        for (int i = 0; i < history.size(); i++) {
            Value later = history.get(i);
            if (value.acked < later.issued && later.acked < readIssued) {
                return false;
            }
        }
        return true;
    }

    /** Whether a copy in sync may hold the value now. */
    boolean current(int cell, long word) {
        return mayRead(cell, word, NEVER - 1);
    }

    /** Whether the value may be found after a power loss. */
    boolean survives(int cell, long word) {
        return find(cell, word) != null;
    }

    /**
     * A guest has seen the value: older ones never come back without a power loss. A write that was seen but not answered may still be
     * carried out once more, for QEMU sends it again when its mirror restarts.
     */
    void seen(int cell, long word, long at) {
        List<Value> history = cells.get(cell);
        Value same = null;
        int count = 0;
        for (int i = 0; i < history.size(); i++) {
            if (history.get(i).word == word) {
                same = history.get(i);
                count++;
            }
        }
        if (same != null && count == 1) {
            for (int i = 0; i < history.size(); i++) {
                Value older = history.get(i);
                if (older.acked < same.issued) {
                    older.overtaken = Math.min(older.overtaken, at);
                }
            }
        }
    }

    /** A new guest boots on a disk holding {@code word}: from now that is the cell's value, and nothing else ever was. */
    void booted(int cell, long word) {
        List<Value> history = cells.get(cell);
        if (history.size() == 1) {
            return;
        }
        long before = point();
        long at = point();
        for (Value value : history) {
            value.acked = Math.min(value.acked, before);
        }
        Value value = find(cell, word);
        if (value != null) {
            value.issued = at;
            value.acked = at;
            value.overtaken = NEVER;
        }
    }

    int size() {
        return cells.size();
    }

    String describe(int cell) {
        StringBuilder text = new StringBuilder();
        for (Value value : cells.get(cell)) {
            text.append(" [")
                    .append(Long.toHexString(value.word))
                    .append(" issued ")
                    .append(value.issued);
            text.append(value.acked == NEVER ? " open" : " acked " + value.acked)
                    .append(value.durable ? " durable]" : "]");
        }
        return text.toString();
    }

    private @org.jspecify.annotations.Nullable Value find(int cell, long word) {
        List<Value> history = cells.get(cell);
        for (int i = history.size() - 1; i >= 0; i--) {
            if (history.get(i).word == word) {
                return history.get(i);
            }
        }
        return null;
    }
}

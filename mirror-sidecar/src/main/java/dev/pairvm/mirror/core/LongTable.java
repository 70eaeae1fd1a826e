package dev.pairvm.mirror.core;

import org.jspecify.annotations.Nullable;

/**
 * Values by positive {@code long} keys without boxing: open addressing with linear probing and backward-shift removal. For the
 * requests in flight, where a {@code HashMap} would allocate twice for each.
 */
final class LongTable<V> {
    private static final int SMALLEST = 16;

    private long[] keys = new long[SMALLEST];
    private @Nullable Object[] values = new @Nullable Object[SMALLEST];
    private int size;

    int size() {
        return size;
    }

    @SuppressWarnings("unchecked")
    @Nullable
    V get(long key) {
        int at = find(key);
        return keys[at] == key ? (V) values[at] : null;
    }

    void put(long key, V value) {
        ProtocolBugException.check(key > 0, "keys are positive", key);
        if (size * 2 >= keys.length) {
            grow();
        }
        int at = find(key);
        if (keys[at] != key) {
            keys[at] = key;
            size++;
        }
        values[at] = value;
    }

    @SuppressWarnings("unchecked")
    @Nullable
    V remove(long key) {
        int hole = find(key);
        if (keys[hole] != key) {
            return null;
        }
        V removed = (V) values[hole];
        size--;
        int mask = keys.length - 1;
        for (int at = (hole + 1) & mask; keys[at] != 0; at = (at + 1) & mask) {
            int home = home(keys[at]);
            if (((at - home) & mask) >= ((at - hole) & mask)) {
                keys[hole] = keys[at];
                values[hole] = values[at];
                hole = at;
            }
        }
        keys[hole] = 0;
        values[hole] = null;
        return removed;
    }

    void clear() {
        keys = new long[SMALLEST];
        values = new @Nullable Object[SMALLEST];
        size = 0;
    }

    private int home(long key) {
        return (int) ((key * 0x9E3779B97F4A7C15L) >>> 40) & (keys.length - 1);
    }

    private int find(long key) {
        int mask = keys.length - 1;
        int at = home(key);
        while (keys[at] != 0 && keys[at] != key) {
            at = (at + 1) & mask;
        }
        return at;
    }

    private void grow() {
        long[] oldKeys = keys;
        @Nullable Object[] oldValues = values;
        keys = new long[oldKeys.length * 2];
        values = new @Nullable Object[keys.length];
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldKeys[i] != 0) {
                int at = find(oldKeys[i]);
                keys[at] = oldKeys[i];
                values[at] = oldValues[i];
            }
        }
    }
}

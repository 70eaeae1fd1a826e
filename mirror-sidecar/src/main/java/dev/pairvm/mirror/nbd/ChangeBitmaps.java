package dev.pairvm.mirror.nbd;

import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which parts of one disk have changed since moments that a backup tool named. A bitmap records from {@link #begin} on; it never
 * says "clean" of what may have changed:
 *
 * <ul>
 *   <li>It lives in this process' memory and nowhere else. After a restart, and on the other copy after a failover, it does not exist,
 *       is not offered, and a backup begins anew with everything.
 *   <li>Every write to this copy counts, the guest's as well as the peer's and a resync's, both when it is begun and when it is
 *       over: a write that was under way when the bitmap began may land after the backup has read its place.
 *   <li>At most {@value #MOST} exist. A further one displaces the oldest, which from then on is all dirty for those who still look
 *       at it, and not offered to others.
 *   <li>To begin a name that exists changes nothing: it stays with the earlier moment.
 * </ul>
 *
 * On the event loop only. At most 128 KiB each: a granule is 64 KiB, or as much more as that needs.
 */
public final class ChangeBitmaps {
    /** Two generations of two tools. */
    static final int MOST = 4;

    private static final int LEAST_GRANULE_SHIFT = 16;
    private static final int MOST_GRANULES = 1 << 20;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private final int granuleShift;
    private final long sizeBytes;
    private final Map<String, Bitmap> byName = new LinkedHashMap<>();

    /** For a disk of this size; nothing is recorded yet. */
    public ChangeBitmaps(long sizeBytes) {
        this.sizeBytes = sizeBytes;
        int shift = LEAST_GRANULE_SHIFT;
        while (sizeBytes >> shift > MOST_GRANULES) {
            shift++;
        }
        this.granuleShift = shift;
    }

    /** One record of changes. */
    final class Bitmap {
        private final BitSet granules = new BitSet(Math.toIntExact((sizeBytes >> granuleShift) + 1));
        private boolean displaced;

        /**
         * How far, from {@code offset}, all is equally dirty or equally clean; not beyond {@code limit}, and above {@code offset}.
         */
        long sameUntil(long offset, long limit) {
            if (displaced) {
                return limit;
            }
            int from = (int) (offset >> granuleShift);
            int next = granules.get(from) ? granules.nextClearBit(from + 1) : granules.nextSetBit(from + 1);
            return next < 0 ? limit : Math.min(limit, (long) next << granuleShift);
        }

        boolean isDirty(long offset) {
            return displaced || granules.get((int) (offset >> granuleShift));
        }
    }

    static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    /** This range changes, or has just been changed; call it at both moments. */
    public void changed(long offset, long length) {
        if (byName.isEmpty() || length <= 0) {
            return;
        }
        int first = (int) (offset >> granuleShift);
        int end = (int) ((offset + length - 1) >> granuleShift) + 1;
        for (Bitmap bitmap : byName.values()) {
            bitmap.granules.set(first, end);
        }
    }

    /** Records from now under this name, unless it does already. */
    void begin(String name) {
        if (byName.containsKey(name)) {
            return;
        }
        if (byName.size() >= MOST) {
            Bitmap oldest = byName.remove(byName.keySet().iterator().next());
            if (oldest != null) {
                oldest.displaced = true;
            }
        }
        byName.put(name, new Bitmap());
    }

    Optional<Bitmap> find(String name) {
        return Optional.ofNullable(byName.get(name));
    }

    /** Names that record, oldest first. */
    List<String> names() {
        return List.copyOf(byName.keySet());
    }
}

package dev.pairvm.mirror.guest;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * An ISO 9660 volume (ECMA-119) with a handful of small files in its root, and a Joliet tree beside it for names as they are.
 * Without times, so that the same files give the same bytes.
 */
final class IsoImage {
    static final int SECTOR = 2048;

    private static final int PRIMARY = 16;
    private static final int JOLIET = 17;
    private static final int TERMINATOR = 18;
    private static final int PRIMARY_PATHS = 19; // little-endian, then big-endian
    private static final int JOLIET_PATHS = 21;
    private static final int PRIMARY_ROOT = 23;
    private static final int JOLIET_ROOT = 24;
    private static final int FIRST_FILE = 25;
    private static final int PATH_TABLE_BYTES = 10;
    private static final int FLAG_DIRECTORY = 2;
    /** Joliet level 3: UCS-2 names. */
    private static final byte[] UCS2 = {'%', '/', 'E'};

    private final ByteBuffer out;

    /** All of the files' directory records must fit one sector: about thirty files of short names. */
    IsoImage(String label, Map<String, byte[]> files) {
        Map<String, byte[]> sorted = new TreeMap<>(files);
        int sectors = FIRST_FILE;
        for (byte[] content : sorted.values()) {
            sectors += sectorsOf(content);
        }
        out = ByteBuffer.allocate(sectors * SECTOR);
        descriptor(PRIMARY, 1, label.getBytes(StandardCharsets.US_ASCII), (byte) ' ', new byte[0], sectors);
        descriptor(JOLIET, 2, label.getBytes(StandardCharsets.UTF_16BE), (byte) 0, UCS2, sectors);
        at(TERMINATOR, 0)
                .put((byte) 255)
                .put("CD001".getBytes(StandardCharsets.US_ASCII))
                .put((byte) 1);
        pathTables(PRIMARY_PATHS, PRIMARY_ROOT);
        pathTables(JOLIET_PATHS, JOLIET_ROOT);
        directory(PRIMARY_ROOT, sorted, false);
        directory(JOLIET_ROOT, sorted, true);
        int sector = FIRST_FILE;
        for (byte[] content : sorted.values()) {
            at(sector, 0).put(content);
            sector += sectorsOf(content);
        }
    }

    byte[] bytes() {
        return out.array();
    }

    private static int sectorsOf(byte[] content) {
        return (content.length + SECTOR - 1) / SECTOR;
    }

    private ByteBuffer at(int sector, int offset) {
        return out.position(sector * SECTOR + offset);
    }

    private void descriptor(int sector, int type, byte[] label, byte blank, byte[] escape, int sectors) {
        at(sector, 0)
                .put((byte) type)
                .put("CD001".getBytes(StandardCharsets.US_ASCII))
                .put((byte) 1);
        for (int[] text : new int[][] {{8, 32}, {40, 32}, {190, 128}, {318, 128}, {446, 128}, {574, 128}, {702, 111}}) {
            fill(sector, text[0], text[1], blank);
        }
        at(sector, 40).put(label);
        both32(at(sector, 80), sectors);
        at(sector, 88).put(escape);
        both16(at(sector, 120), 1);
        both16(at(sector, 124), 1);
        both16(at(sector, 128), SECTOR);
        both32(at(sector, 132), PATH_TABLE_BYTES);
        int paths = type == 1 ? PRIMARY_PATHS : JOLIET_PATHS;
        little(at(sector, 140), paths);
        big(at(sector, 148), paths + 1);
        record(at(sector, 156), new byte[] {0}, type == 1 ? PRIMARY_ROOT : JOLIET_ROOT, SECTOR, FLAG_DIRECTORY);
        for (int time : List.of(813, 830, 847, 864)) {
            fill(sector, time, 16, (byte) '0');
        }
        at(sector, 881).put((byte) 1);
    }

    private void fill(int sector, int offset, int length, byte value) {
        at(sector, offset);
        for (int i = 0; i < length; i++) {
            out.put(value);
        }
    }

    /** One directory, the root, whose parent is itself. */
    private void pathTables(int sector, int root) {
        little(at(sector, 0).put((byte) 1).put((byte) 0), root)
                .put((byte) 1)
                .put((byte) 0)
                .put((byte) 0);
        big(at(sector + 1, 0).put((byte) 1).put((byte) 0), root)
                .put((byte) 0)
                .put((byte) 1)
                .put((byte) 0);
    }

    private void directory(int sector, Map<String, byte[]> files, boolean joliet) {
        at(sector, 0);
        record(out, new byte[] {0}, sector, SECTOR, FLAG_DIRECTORY);
        record(out, new byte[] {1}, sector, SECTOR, FLAG_DIRECTORY);
        int data = FIRST_FILE;
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            byte[] name = joliet
                    ? file.getKey().getBytes(StandardCharsets.UTF_16BE)
                    : (file.getKey().toUpperCase(Locale.ROOT) + ".;1").getBytes(StandardCharsets.US_ASCII);
            record(out, name, data, file.getValue().length, 0);
            data += sectorsOf(file.getValue());
        }
        if (out.position() > (sector + 1) * SECTOR) {
            throw new IllegalArgumentException(files.size() + " files do not fit the directory");
        }
    }

    private static void record(ByteBuffer out, byte[] name, int sector, int size, int flags) {
        int length = 33 + name.length + (name.length % 2 == 0 ? 1 : 0);
        int start = out.position();
        out.put((byte) length).put((byte) 0);
        both32(out, sector);
        both32(out, size);
        out.put(new byte[] {70, 1, 1, 0, 0, 0, 0})
                .put((byte) flags)
                .put((byte) 0)
                .put((byte) 0);
        both16(out, 1);
        out.put((byte) name.length).put(name).position(start + length);
    }

    private static void both32(ByteBuffer out, int value) {
        big(little(out, value), value);
    }

    private static void both16(ByteBuffer out, int value) {
        out.order(ByteOrder.LITTLE_ENDIAN).putShort((short) value);
        out.order(ByteOrder.BIG_ENDIAN).putShort((short) value);
    }

    private static ByteBuffer little(ByteBuffer out, int value) {
        return out.order(ByteOrder.LITTLE_ENDIAN).putInt(value);
    }

    private static ByteBuffer big(ByteBuffer out, int value) {
        return out.order(ByteOrder.BIG_ENDIAN).putInt(value);
    }
}

package dev.pairvm.mirror.nbd;

import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * A disk as the server offers it.
 *
 * @param name as the client asks for it, 1 to 256 bytes of UTF-8
 * @param description one line for people, may be empty
 * @param sizeBytes size, a multiple of {@code minimumBlockBytes}
 * @param minimumBlockBytes offsets and lengths must be multiples of it: 1, or a power of two from 512 to 64 KiB
 * @param readOnly whether writes are refused with {@code EPERM}
 * @param backend serves the requests
 * @param changes records what changes, if backup tools may ask for it
 */
public record NbdExport(
        String name,
        String description,
        long sizeBytes,
        int minimumBlockBytes,
        boolean readOnly,
        NbdBackend backend,
        Optional<ChangeBitmaps> changes) {
    /** Longest name and description, from proto.md "Conventions": strings should not be longer. */
    static final int MAX_STRING_BYTES = 256;

    /** Checks every bound; throws {@link IllegalArgumentException} naming the field. */
    public NbdExport {
        int nameBytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (nameBytes < 1 || nameBytes > MAX_STRING_BYTES || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(
                    "export name must be 1 to 256 bytes without NUL, got " + nameBytes + " bytes");
        }
        if (description.getBytes(StandardCharsets.UTF_8).length > MAX_STRING_BYTES) {
            throw new IllegalArgumentException("description of export " + name + " is longer than 256 bytes");
        }
        boolean powerOfTwo = Integer.bitCount(minimumBlockBytes) == 1;
        if (minimumBlockBytes != 1 && (!powerOfTwo || minimumBlockBytes < 512 || minimumBlockBytes > 64 << 10)) {
            throw new IllegalArgumentException(
                    "minimumBlockBytes must be 1 or a power of two from 512 to 65536, got " + minimumBlockBytes);
        }
        if (sizeBytes < 0 || sizeBytes % minimumBlockBytes != 0) {
            throw new IllegalArgumentException(
                    "sizeBytes must be a multiple of " + minimumBlockBytes + " and not negative, got " + sizeBytes);
        }
    }

    /** Without a record of changes. */
    public NbdExport(
            String name,
            String description,
            long sizeBytes,
            int minimumBlockBytes,
            boolean readOnly,
            NbdBackend backend) {
        this(name, description, sizeBytes, minimumBlockBytes, readOnly, backend, Optional.empty());
    }

    /** The same with a record of changes, which several exports of one disk share. */
    public NbdExport tracking(ChangeBitmaps record) {
        return new NbdExport(name, description, sizeBytes, minimumBlockBytes, readOnly, backend, Optional.of(record));
    }

    /** The same with another size. */
    NbdExport resized(long bytes) {
        return new NbdExport(name, description, bytes, minimumBlockBytes, readOnly, backend, changes);
    }

    /** A writable export without alignment rules. */
    public static NbdExport writable(String name, long sizeBytes, NbdBackend backend) {
        return new NbdExport(name, "", sizeBytes, 1, false, backend);
    }

    /** A read-only view of a disk: for judges like {@code qemu-img compare}. */
    public static NbdExport readOnly(String name, long sizeBytes, NbdBackend backend) {
        return new NbdExport(name, "", sizeBytes, 1, true, backend);
    }
}

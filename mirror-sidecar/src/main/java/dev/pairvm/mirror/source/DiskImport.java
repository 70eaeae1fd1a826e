package dev.pairvm.mirror.source;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.store.DeviceLayout;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.function.LongConsumer;

/**
 * Lays a raw image onto a disk. Idempotent: a disk that has content is left alone, a broken-off import begins again. The content
 * counts only once its checksum is right: a file is renamed into place last; a block device is refused its first 64 KiB until
 * then, so that no half image ever boots.
 *
 * <p>Blocks; one thread.
 */
public final class DiskImport {
    /** Written in pieces of this size; all-zero pieces become holes. */
    private static final int PIECE_BYTES = 64 * 1024;

    /** Name of the image inside the directory of a {@link MirrorConfig.Disk.Kind#FILE} disk. */
    static final String IMAGE = "disk.img";

    private static final String PARTIAL = "disk.img.partial";

    private final MirrorConfig.Disk.Kind kind;
    private final Path path;
    private final long sizeBytes;

    /** {@code sizeBytes} is the disk's size; an image may be smaller, never larger. */
    public DiskImport(MirrorConfig.Disk.Kind kind, Path path, long sizeBytes) {
        this.kind = kind;
        this.path = path;
        this.sizeBytes = sizeBytes;
    }

    /** How an import ended. */
    public enum Outcome {
        IMPORTED,
        /** There was content already; nothing was touched. */
        ALREADY_THERE
    }

    /**
     * Whether the disk has content.
     *
     * @throws IOException if it can not be read
     */
    public boolean hasContent() throws IOException {
        return switch (kind) {
            case FILE -> Files.exists(path.resolve(IMAGE));
            case BLOCK -> blockHasContent();
        };
    }

    /** A boot sector, or a mirror's metadata: a guest may have wiped the first, and its disk is not blank for that. */
    private boolean blockHasContent() throws IOException {
        try (FileChannel device = FileChannel.open(path, StandardOpenOption.READ)) {
            long metadata = DeviceLayout.metadataOffset(device.size());
            return !pieceIsZero(device, 0) || metadata > 0 && !pieceIsZero(device, metadata);
        }
    }

    private static boolean pieceIsZero(FileChannel device, long offset) throws IOException {
        ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
        long at = offset;
        for (int n = 0; n >= 0 && piece.hasRemaining(); n = device.read(piece, at)) {
            at += n;
        }
        return isZero(piece.array(), piece.position());
    }

    /**
     * Copies {@code image} onto the disk.
     *
     * @param sha256 lower-case hex; empty where the user waived the check
     * @param progress gets the number of bytes laid down so far
     * @throws ImportException if the image is too large or not what the checksum says; the disk then has no content
     * @throws IOException if reading or writing fails; the same call may be made again
     */
    public Outcome run(InputStream image, Optional<String> sha256, LongConsumer progress) throws IOException {
        if (hasContent()) {
            return Outcome.ALREADY_THERE;
        }
        return switch (kind) {
            case FILE -> {
                Path partial = path.resolve(PARTIAL);
                try (FileChannel file = FileChannel.open(
                        partial,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.READ)) {
                    lay(file, image, sha256, progress);
                    if (file.size() < sizeBytes) {
                        file.write(ByteBuffer.allocate(1), sizeBytes - 1);
                    }
                    file.force(true);
                } catch (ImportException e) {
                    Files.deleteIfExists(partial);
                    throw e;
                }
                // Safety: the name disk.img means "checked content"; it appears only now.
                Files.move(partial, path.resolve(IMAGE), StandardCopyOption.ATOMIC_MOVE);
                yield Outcome.IMPORTED;
            }
            case BLOCK -> {
                try (FileChannel device = FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.READ)) {
                    lay(device, image, sha256, progress);
                }
                yield Outcome.IMPORTED;
            }
        };
    }

    private void lay(FileChannel target, InputStream image, Optional<String> sha256, LongConsumer progress)
            throws IOException {
        MessageDigest digest = sha256Digest();
        byte[] first = new byte[0];
        long offset = 0;
        for (byte[] piece = image.readNBytes(PIECE_BYTES); piece.length > 0; piece = image.readNBytes(PIECE_BYTES)) {
            digest.update(piece);
            if (offset + piece.length > sizeBytes) {
                throw new ImportException("the image is larger than the disk of " + sizeBytes
                        + " bytes; give the disk at least the image's size");
            }
            if (offset == 0) {
                first = piece;
            } else if (kind == MirrorConfig.Disk.Kind.BLOCK || !isZero(piece, piece.length)) {
                writeFully(target, ByteBuffer.wrap(piece), offset);
            }
            offset += piece.length;
            progress.accept(offset);
        }
        String got = HexFormat.of().formatHex(digest.digest());
        if (sha256.isPresent() && !sha256.get().equalsIgnoreCase(got)) {
            throw new ImportException("checksum mismatch: expected sha256 " + sha256.get() + ", the image has " + got);
        }
        target.force(true);
        // Safety: the boot sector comes last, after everything it leads to is durable and checked.
        writeFully(target, ByteBuffer.wrap(first), 0);
        target.force(true);
    }

    private static void writeFully(FileChannel target, ByteBuffer piece, long offset) throws IOException {
        long at = offset;
        while (piece.hasRemaining()) {
            at += target.write(piece, at);
        }
    }

    private static boolean isZero(byte[] bytes, int length) {
        return Arrays.mismatch(bytes, 0, length, ZEROES, 0, length) < 0;
    }

    private static final byte[] ZEROES = new byte[PIECE_BYTES];

    private static MessageDigest sha256Digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** The image can not be used; trying again does not help. */
    public static final class ImportException extends IOException {
        private static final long serialVersionUID = 1L;

        ImportException(String message) {
            super(message);
        }
    }
}

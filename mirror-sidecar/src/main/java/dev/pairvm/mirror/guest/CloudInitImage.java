package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.TreeMap;

/** The guest's cloud-init data as a volume labelled {@code cidata}, which the NoCloud data source looks for. */
public final class CloudInitImage {
    /** Kubernetes' bound on a Secret; more can not come. */
    private static final long MAX_FILE_BYTES = 1 << 20;

    /** Names in the Secret, and NoCloud's names on the volume. */
    private static final Map<String, String> NAMES =
            Map.of("user-data", "user-data", "meta-data", "meta-data", "network-data", "network-config");

    private CloudInitImage() {}

    /**
     * Makes the image from {@code user-data}, {@code meta-data} and {@code network-data} in {@code source}; the same input gives
     * the same bytes on both hosts. Only the owner can read it, it may hold passwords. Blocking.
     *
     * @return false, and no image, if {@code source} does not exist
     * @throws IOException if a file can not be read or is larger than 1 MiB
     */
    public static boolean write(Path source, Path image) throws IOException {
        if (!Files.isDirectory(source)) {
            return false;
        }
        Map<String, byte[]> files = new TreeMap<>();
        // NoCloud takes a volume for its own only if both are there, be they empty.
        files.put("meta-data", new byte[0]);
        files.put("user-data", new byte[0]);
        for (Map.Entry<String, String> name : NAMES.entrySet()) {
            Path file = source.resolve(name.getKey());
            if (Files.exists(file)) {
                if (Files.size(file) > MAX_FILE_BYTES) {
                    throw new IOException(file + " has " + Files.size(file) + " bytes, at most " + MAX_FILE_BYTES
                            + " are given to a guest");
                }
                files.put(name.getValue(), Files.readAllBytes(file));
            }
        }
        Path next = image.resolveSibling(image.getFileName() + ".new");
        Files.deleteIfExists(next);
        Files.createFile(next, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(next, new IsoImage("cidata", files).bytes());
        Files.move(next, image, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return true;
    }

    /** For tests and logs: the label in the image's descriptor. */
    static String label(byte[] image) {
        return new String(image, 16 * IsoImage.SECTOR + 40, 32, StandardCharsets.US_ASCII).strip();
    }
}

package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.nio.file.Path;

/** The guest's cloud-init data as a volume labelled {@code cidata}, which the NoCloud data source looks for. */
public final class CloudInitImage {
    private CloudInitImage() {}

    /**
     * Makes the image from {@code user-data}, {@code meta-data} and {@code network-data} in {@code source}; the same input gives
     * the same bytes on both hosts. Blocking.
     *
     * @return false, and no image, if {@code source} does not exist
     * @throws IOException if a file can not be read or is larger than 1 MiB
     */
    public static boolean write(Path source, Path image) throws IOException {
        throw new UnsupportedOperationException();
    }
}

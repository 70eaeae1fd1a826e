package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * Where a twin's overlays lie. From a failover until their commit they hold acknowledged writes that the copy's image does not
 * have: they are data, and a mark beside them says so, durably, before the first such write can be acknowledged.
 *
 * <p>Not for the data path: files are made and deleted here at the begin and the end of a twinning, on the event loop.
 *
 * @param directory on durable storage of this copy, seen by both containers of the pod under this path
 */
public record OverlayFiles(Path directory) {
    /** What the twin itself wrote since the last checkpoint. */
    Path active(String disk) {
        return directory.resolve(disk + ".active.qcow2");
    }

    /** What the active overwrote since the last checkpoint, as it was then. */
    Path hidden(String disk) {
        return directory.resolve(disk + ".hidden.qcow2");
    }

    private Path mark() {
        return directory.resolve("uncommitted");
    }

    /**
     * Whether the overlays hold what the image does not have. While they do, nothing may write the image but the QEMU that commits
     * them, and this copy is not whole without them.
     */
    public boolean areUncommitted() {
        return Files.exists(mark());
    }

    void prepare() throws GuestException {
        if (areUncommitted()) {
            throw new GuestException(
                    directory + " holds overlays of a failover that were not committed: this copy is not"
                            + " whole without them, so no twin is begun over them");
        }
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw new GuestException(directory + " can not be made", e);
        }
    }

    void markUncommitted() throws GuestException {
        try (FileChannel mark = FileChannel.open(mark(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            mark.force(true);
            syncDirectory();
        } catch (IOException e) {
            throw new GuestException(mark() + " can not be written; the twin does not take over", e);
        }
    }

    /**
     * After the commit, or when the twin never took over. The mark goes first: overlays without one are rubbish, a mark without
     * them would be a copy that nobody can make whole. The base was flushed by the commit's last step.
     */
    void delete(List<String> disks) throws GuestException {
        try {
            if (Files.deleteIfExists(mark())) {
                syncDirectory();
            }
            for (String disk : disks) {
                Files.deleteIfExists(active(disk));
                Files.deleteIfExists(hidden(disk));
            }
        } catch (IOException e) {
            throw new GuestException(directory + " can not be cleared of overlays that are committed", e);
        }
    }

    private void syncDirectory() throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}

package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Remembers which run of QEMU was ever let run as the guest, for a mirror that is restarted and finds a QEMU that can not be asked,
 * because it is frozen, or whose answer is the same for a twin and for the guest. Written before the guest is let run, so it may name a run that was not; never the other way round.
 */
final class GuestMark {
    private final Path file;

    GuestMark(Path file) {
        this.file = file;
    }

    void write(long run) throws GuestException {
        put(String.valueOf(run));
    }

    /** This run is a twin: it may execute, and is not the guest. */
    void writeTwin(long run) throws GuestException {
        put(run + " twin");
    }

    private void put(String line) throws GuestException {
        Path next = file.resolveSibling(file.getFileName() + ".new");
        try {
            Files.writeString(next, line + "\n");
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new GuestException(file + " can not be written; the guest is not let run", e);
        }
    }

    boolean names(long run) {
        return says(String.valueOf(run));
    }

    boolean namesTwin(long run) {
        return says(run + " twin");
    }

    private boolean says(String line) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8).strip().equals(line);
        } catch (IOException none) {
            return false;
        }
    }
}

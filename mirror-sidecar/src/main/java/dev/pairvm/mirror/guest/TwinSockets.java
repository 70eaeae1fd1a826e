package dev.pairvm.mirror.guest;

import java.nio.file.Path;

/**
 * The unix sockets of one twinning on one host, all in one directory. The mirrors join the two hosts' sockets of the same
 * name through their link; nothing between the two QEMUs is a TCP connection of QEMU's.
 *
 * <pre>
 * socket       on the active's host                on the standby's host               carries
 * ram          mirror listens, QEMU connects       QEMU listens, mirror connects       memory, devices, checkpoints; both ways
 * disk         (the mirror writes to its peer)     QEMU listens, mirror connects       NBD: the active's writes into the twin's base
 * copied-N     QEMU listens, mirror connects       mirror listens, QEMU connects       what card N receives, to the twin
 * answers-N    QEMU listens, mirror connects       mirror listens, QEMU connects       what the twin's card N sends, to be compared
 * own-N, out-N QEMU listens and connects to itself                                     the comparison's own ends
 * </pre>
 *
 * Who owns a socket can cut it: that is how a mirror gets its QEMU away from a peer that is frozen.
 *
 * @param directory seen by both containers of the pod under this path; a fresh one for each twinning, so that nothing late reaches
 *     a later one
 * @param cards how many network cards the guest has, from 0 to 32
 */
public record TwinSockets(Path directory, int cards) {
    private static final int MAX_CARDS = 32;
    /** Of {@code sun_path}, without the closing zero. */
    private static final int MAX_PATH_BYTES = 107;

    /** Checks the bounds. */
    public TwinSockets {
        if (cards < 0 || cards > MAX_CARDS) {
            throw new IllegalArgumentException("cards must be from 0 to " + MAX_CARDS + ", got " + cards);
        }
        int longest = directory.resolve("answers-" + MAX_CARDS).toString().length();
        if (longest > MAX_PATH_BYTES) {
            throw new IllegalArgumentException(directory + " is too long for unix sockets in it (" + longest + " > "
                    + MAX_PATH_BYTES + "): choose a shorter directory");
        }
    }

    /** Memory and checkpoints. */
    public Path ram() {
        return directory.resolve("ram");
    }

    /** The NBD server inside the standby's QEMU; one export per disk, named like the disk. */
    public Path disk() {
        return directory.resolve("disk");
    }

    /** Frames that the active's card receives. */
    public Path copied(int card) {
        return directory.resolve("copied-" + card);
    }

    /** Frames that the twin's card would send. */
    public Path answers(int card) {
        return directory.resolve("answers-" + card);
    }

    Path own(int card) {
        return directory.resolve("own-" + card);
    }

    Path out(int card) {
        return directory.resolve("out-" + card);
    }
}

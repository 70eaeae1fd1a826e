package dev.pairvm.mirror.guest;

import dev.pairvm.api.mirror.MirrorConfig;
import java.util.List;

/** Turns a machine's description into QEMU's arguments. Pure: touches nothing. */
public final class QemuCommandLine {

    /**
     * @param taps names of the host's tap devices, one per interface of the guest, in the same order
     * @throws IllegalArgumentException naming the field that QEMU could not be told safely
     */
    public QemuCommandLine(
            MirrorConfig config, GuestFiles files, Accelerator accelerator, List<String> taps, boolean cloudInitImage) {
        throw new UnsupportedOperationException();
    }

    /** The arguments, without the program's name; none contains a line break. */
    public List<String> arguments(StartMode mode) {
        throw new UnsupportedOperationException();
    }
}

package dev.pairvm.mirror.guest;

/** Keeps the last part of what the guest says on its serial console in a file; bounded. Has its own thread. */
public final class SerialLog implements AutoCloseable {

    /** Starts to follow the console; connects again whenever QEMU is started anew. */
    public SerialLog(GuestFiles files) {
        throw new UnsupportedOperationException();
    }

    /** Stops following. */
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}

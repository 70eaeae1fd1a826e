package dev.pairvm.mirror.guest;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** The side of a live migration that takes the guest. It arrives paused; {@link GuestControl#startOrResume} lets it run. */
public final class MigrationTarget {
    MigrationTarget() {}

    /** Where QEMU listens for the stream; the link's channel is to be connected here. */
    public Path socket() {
        throw new UnsupportedOperationException();
    }

    /** Completes when the guest is here, whole and paused; fails with {@link GuestException} when it will not come. */
    public CompletableFuture<Void> arrived(Duration limit) {
        throw new UnsupportedOperationException();
    }
}

package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** The side of a live migration that takes the guest. It arrives paused; {@link GuestControl#startOrResume} lets it run. */
public final class MigrationTarget {
    private final GuestControl guest;
    private final Path socket;
    private final CompletableFuture<Void> arrived = new CompletableFuture<>();

    private MigrationTarget(GuestControl guest, Path socket) {
        this.guest = guest;
        this.socket = socket;
    }

    static CompletableFuture<MigrationTarget> listen(GuestControl guest, Path socket) {
        MigrationTarget target = new MigrationTarget(guest, socket);
        guest.onMigration(target::heard);
        ObjectNode arguments = JsonNodeFactory.instance.objectNode().put("uri", "unix:" + socket);
        return guest.execute("migrate-set-capabilities", MigrationSource.capabilities())
                .thenCompose(set -> guest.execute("migrate-incoming", arguments))
                .thenApply(listening -> target);
    }

    private void heard(String status) {
        switch (status) {
            case "completed" -> {
                guest.onMigration(null);
                guest.arrived();
                arrived.complete(null);
            }
            case "failed", "cancelled" -> {
                guest.onMigration(null);
                arrived.completeExceptionally(new GuestException("the guest did not arrive: migration " + status));
            }
            default -> {
                // setup, active, device: on its way
            }
        }
    }

    /** Where QEMU listens for the stream; the link's channel is to be connected here. */
    public Path socket() {
        return socket;
    }

    /**
     * Completes when the guest is here, whole and paused; fails with {@link GuestException} when it will not come. What is here then
     * is half a guest: kill it, or prepare a standby again.
     */
    public CompletableFuture<Void> arrived(Duration limit) {
        return guest.within(limit, "the guest did not arrive", arrived);
    }
}

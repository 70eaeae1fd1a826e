package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Makes empty overlays, by a QEMU that waits to boot: this container needs no image tool, and the files are the ones that QEMU's
 * container sees. On the event loop.
 */
final class OverlayMaker {
    private static final String JOB = "overlay";
    private static final String NODE = "overlay-file";

    private final ColoPort port;
    private final Waits waits;
    private final ColoLimits limits;

    OverlayMaker(ColoPort port, Waits waits, ColoLimits limits) {
        this.port = port;
        this.waits = waits;
        this.limits = limits;
    }

    /** What was there is emptied. */
    CompletableFuture<Void> make(Path overlay, long sizeBytes) {
        QmpCommand add = QmpCommand.of("blockdev-add")
                .with("driver", "file")
                .with("node-name", NODE)
                .with("filename", overlay.toString());
        QmpCommand remove = QmpCommand.of("blockdev-del").with("node-name", NODE);
        return create(
                        overlay,
                        options -> options.put("driver", "file")
                                .put("filename", overlay.toString())
                                .put("size", 0))
                .thenCompose(made -> waits.orGivenUp(port.execute(add, limits.command())))
                .thenCompose(opened -> create(
                        overlay,
                        options ->
                                options.put("driver", "qcow2").put("file", NODE).put("size", sizeBytes)))
                .thenCompose(made -> waits.orGivenUp(port.execute(remove, limits.command())))
                .thenApply(done -> null);
    }

    private CompletableFuture<Void> create(Path overlay, Consumer<ObjectNode> options) {
        QmpCommand create = QmpCommand.of("blockdev-create").with("job-id", JOB);
        options.accept(create.arguments().putObject("options"));
        CompletableFuture<QmpEvent> concluded = waits.event(
                "overlay " + overlay + " to be made",
                limits.switching(),
                event -> event.name().equals("JOB_STATUS_CHANGE")
                        && event.data().path("id").asText().equals(JOB)
                        && event.data().path("status").asText().equals("concluded"));
        return waits.orGivenUp(port.execute(create, limits.command()))
                .thenCompose(begun -> concluded)
                .thenCompose(over -> waits.orGivenUp(port.execute(QmpCommand.of("query-jobs"), limits.command())))
                .thenCompose(jobs -> waits.orGivenUp(
                                port.execute(QmpCommand.of("job-dismiss").with("id", JOB), limits.command()))
                        .thenCompose(gone -> {
                            for (var job : jobs) {
                                if (job.path("id").asText().equals(JOB) && job.has("error")) {
                                    return CompletableFuture.failedFuture(
                                            new GuestException("overlay " + overlay + " can not be made: "
                                                    + job.path("error").asText()));
                                }
                            }
                            return CompletableFuture.completedFuture(null);
                        }));
    }
}

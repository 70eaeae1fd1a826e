package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.Effect;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** What the engine does with the guest of this side. On the event loop. */
interface GuestPort {
    /** A guest that survived a restart of this mirror. */
    void foundAlive();

    /** A paused QEMU, ready to boot at once. */
    void prepareStandby();

    /** This side serves: the guest may run. */
    void start(Effect.StartCause cause);

    /** The guest must not run here any more; posts {@code GuestKilled} when none does. */
    void kill();

    /** SIGSTOP. */
    void freeze();

    /** SIGCONT. */
    void thaw();

    /** Moves the guest to the peer through this socket; posts {@code GuestDrained} or {@code HandOverAbandoned}. */
    void beginHandOver(CompletableFuture<Path> channel);

    /** The hand-over did not take place: the guest goes on here. */
    void resume();

    /** What the guest's QEMU does. */
    MirrorReport.Guest report();

    /** How large the disks are, in their order: a QEMU that has one in view is to see it so. */
    void diskSizes(List<Long> bytes);

    /** Whether a guest can run here at all. */
    boolean runner();

    /** What keeps the guest from running, for people. */
    @Nullable
    String trouble();
}

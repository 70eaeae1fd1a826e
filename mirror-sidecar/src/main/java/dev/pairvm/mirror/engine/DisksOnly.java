package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** No guest and no gate: a pair that only mirrors disks for whoever connects to its NBD server, for benchmarks and tests. */
final class DisksOnly implements GuestPort, GatePort, TwinPort {
    private final Consumer<Event> core;

    DisksOnly(Consumer<Event> core) {
        this.core = core;
    }

    @Override
    public void kill() {
        core.accept(new Event.GuestKilled());
    }

    @Override
    public void beginHandOver(CompletableFuture<Path> channel) {
        core.accept(new Event.GuestDrained());
    }

    @Override
    public MirrorReport.Guest report() {
        return MirrorReport.Guest.ABSENT;
    }

    @Override
    public boolean runner() {
        return false;
    }

    @Override
    public @Nullable String trouble() {
        return null;
    }

    @Override
    public void begin(CopyId to) {
        core.accept(new Event.TwinEnded("this pod can give no guest a twin"));
    }

    @Override
    public void end() {}

    @Override
    public void peerHeard() {}

    @Override
    public void cut() {}

    @Override
    public Optional<MirrorReport.Twin> report(CoreView view) {
        return Optional.empty();
    }

    @Override
    public void foundAlive() {}

    @Override
    public void prepareStandby() {}

    @Override
    public void start(Effect.StartCause cause) {}

    @Override
    public void diskSizes(List<Long> bytes) {}

    @Override
    public void freeze() {}

    @Override
    public void thaw() {}

    @Override
    public void resume() {}

    @Override
    public void renew(long untilNanos) {}

    @Override
    public void openUnlimited() {}

    @Override
    public void shut() {}
}

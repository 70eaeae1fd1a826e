package dev.pairvm.mirror.guest;

import java.time.Duration;

/** Hears what becomes of a twinning and does nothing: for sessions that only end, and whose end is awaited. */
public final class DeafTwinListener implements ColoActive.Listener, ColoStandby.Listener {
    @Override
    public void moved(ActivePhase now) {}

    @Override
    public void checkpointOverdue(Duration age) {}

    @Override
    public void moved(StandbyPhase now) {}

    @Override
    public void overlayLarge(String disk) {}

    @Override
    public void overlayFull(String disk) {}

    @Override
    public void diverged() {}
}

package dev.pairvm.mirror.guest;

import java.time.Duration;

/**
 * Bounds of the waits of a twinning. Each is for one step; what follows when it runs out stands at {@link ActivePhase} and
 * {@link StandbyPhase}.
 *
 * @param command for the answer to one command that waits for no I/O
 * @param outOfBand for the answer to one command that QEMU's monitor thread carries out by itself
 * @param move from {@code migrate} until what is left of the memory is small
 * @param switching for one step of the switch, while the guest stands still
 * @param checkpoint for the first checkpoint, and for each: from its predecessor's end, beyond the interval
 * @param lastCheckpoint for the one that ends a twinning in order
 * @param commit for the commit of the overlays after a failover, whatever they hold
 */
public record ColoLimits(
        Duration command,
        Duration outOfBand,
        Duration move,
        Duration switching,
        Duration checkpoint,
        Duration lastCheckpoint,
        Duration commit) {
    /** What the product uses. */
    public static final ColoLimits DEFAULT = new ColoLimits(
            Duration.ofSeconds(5),
            Duration.ofSeconds(1),
            Duration.ofMinutes(30),
            Duration.ofSeconds(10),
            Duration.ofSeconds(5),
            Duration.ofMillis(500),
            Duration.ofHours(1));

    /** Checks the bounds. */
    public ColoLimits {
        for (Duration each : new Duration[] {command, outOfBand, move, switching, checkpoint, lastCheckpoint, commit}) {
            if (each.isNegative() || each.isZero()) {
                throw new IllegalArgumentException("each limit must be positive, got " + each);
            }
        }
    }
}

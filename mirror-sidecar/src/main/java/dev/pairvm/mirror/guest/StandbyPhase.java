package dev.pairvm.mirror.guest;

/**
 * Where the standby's side of a twinning is. A twinning is used once.
 *
 * <pre>
 * Idle -&gt; Preparing -&gt; Waiting -&gt; Receiving -&gt; Running &lt;-&gt; Running(crashed) -&gt; Severed
 *            |            |           |           |                              |
 *            |            |           |           +--------- takeOver -----------+
 *            |            |           |                          v
 *            |            |           |                     TakingOver -&gt; Committing -&gt; Done
 *            v            v           v                          v            v
 *          Failed(uncommitted = false)                   Failed(uncommitted = true)
 *                         Abandoned: by order, from anywhere before TakingOver
 * </pre>
 *
 * <table>
 * <caption>What a failure leads to</caption>
 * <tr><th>in</th><th>a command is refused, or not answered in time</th><th>the active or the link dies</th><th>this QEMU dies</th></tr>
 * <tr><td>Preparing</td><td>QEMU killed, Failed</td><td>unnoticed</td><td>Failed</td></tr>
 * <tr><td>Waiting, Receiving</td><td></td><td>QEMU ends by itself: Failed. Nothing is lost; the copy's image has every
 *     acknowledged write</td><td>Failed</td></tr>
 * <tr><td>Running</td><td></td><td>{@code COLO_EXIT}: Severed. Or nothing is heard at all: the engine's beacons tell</td>
 *     <td>Failed; the active goes on alone</td></tr>
 * <tr><td>Severed</td><td></td><td>waits for takeOver or abandon</td><td>Failed; boot from the disks</td></tr>
 * <tr><td>TakingOver</td><td>Failed(uncommitted): kill QEMU, then as Committing</td><td>is what it is for</td><td>as Committing</td></tr>
 * <tr><td>Committing</td><td>ends early, or takes too long: Failed(uncommitted); QEMU still serves the guest from the overlays</td><td></td>
 *     <td>Failed(uncommitted): this copy is whole only with its overlays</td></tr>
 * </table>
 */
public sealed interface StandbyPhase {
    /** Nothing was done. */
    record Idle() implements StandbyPhase {}

    /** Overlays, QEMU, filters and servers are made. */
    record Preparing() implements StandbyPhase {}

    /** Listens; the active may begin. */
    record Waiting() implements StandbyPhase {}

    /** Memory comes; what is here is not a whole guest. */
    record Receiving() implements StandbyPhase {}

    /**
     * A twin: executes what the guest executes, may take over.
     *
     * @param crashed its guest reported a panic since the last checkpoint; the next one replaces its state by the active's
     */
    record Running(boolean crashed) implements StandbyPhase {}

    /** QEMU lost the active and waits. May take over. */
    record Severed(boolean crashed) implements StandbyPhase {}

    /** It becomes the guest. There is no way back. */
    record TakingOver() implements StandbyPhase {}

    /** The guest runs here; the overlays are written into the image. */
    record Committing() implements StandbyPhase {}

    /** The image has everything; the guest can be protected again. */
    record Done() implements StandbyPhase {}

    /** Killed by order; the guest is, or will be, elsewhere, or boots from the disks. */
    record Abandoned() implements StandbyPhase {}

    /**
     * Over.
     *
     * @param uncommitted the overlays hold acknowledged writes that the image lacks
     */
    record Failed(String why, boolean uncommitted) implements StandbyPhase {}

    /** Whether a whole twin is here that {@link ColoStandby#takeOver} can make the guest. */
    default boolean canTakeOver() {
        return switch (this) {
            case Running _, Severed _ -> true;
            case Idle _,
                    Preparing _,
                    Waiting _,
                    Receiving _,
                    TakingOver _,
                    Committing _,
                    Done _,
                    Abandoned _,
                    Failed _ -> false;
        };
    }

    /** Whether nothing follows. */
    default boolean isOver() {
        return this instanceof Done || this instanceof Abandoned || this instanceof Failed;
    }

    /** Whether the drawing has an arrow to {@code next}. */
    default boolean mayBecome(StandbyPhase next) {
        if (next instanceof Failed) {
            return !isOver();
        }
        return switch (this) {
            case Idle _ ->
                next instanceof Preparing
                        || next instanceof Abandoned
                        || next instanceof Severed
                        || next instanceof Committing;
            case Preparing _ -> next instanceof Waiting || next instanceof Abandoned;
            case Waiting _ -> next instanceof Receiving || next instanceof Abandoned;
            case Receiving _ -> next instanceof Running || next instanceof Abandoned;
            case Running _ ->
                next instanceof Running
                        || next instanceof Severed
                        || next instanceof TakingOver
                        || next instanceof Abandoned;
            case Severed _ -> next instanceof Severed || next instanceof TakingOver || next instanceof Abandoned;
            case TakingOver _ -> next instanceof Committing;
            case Committing _ -> next instanceof Done;
            case Done _, Abandoned _, Failed _ -> false;
        };
    }
}

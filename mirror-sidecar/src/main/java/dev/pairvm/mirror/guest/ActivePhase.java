package dev.pairvm.mirror.guest;

/**
 * Where the active's side of a twinning is. Each ends in {@link Ended}; a twinning is used once.
 *
 * <pre>
 * Idle -&gt; Preparing -&gt; MovingMemory -&gt; PreSwitchover -&gt; Entering -&gt; Running -&gt; Broken
 *            |              |               |             |          |  |       |
 *            |              |               |             |          |  +---&gt; StoodDown (and back)
 *            v              v               v             v          v          v
 *            +---------- BackingOut --------+             +------- Ending ------+
 *                            |                                        |
 *                            +---------------&gt; Ended &lt;----------------+      (QEMU gone: from anywhere)
 * </pre>
 *
 * <table>
 * <caption>What a failure leads to</caption>
 * <tr><th>in</th><th>a command is refused, or not answered in time</th><th>the standby or the link dies</th><th>this QEMU dies</th></tr>
 * <tr><td>Preparing</td><td>BackingOut: what was made is removed; the guest never stood still</td><td>unnoticed until the next
 *     phase</td><td>Ended(GONE)</td></tr>
 * <tr><td>MovingMemory</td><td>BackingOut: cancelled; the guest runs on, or again</td><td>QEMU reports {@code failed}:
 *     the same</td><td>Ended(GONE)</td></tr>
 * <tr><td>PreSwitchover</td><td>the same; the guest stood still for that long</td><td>the same</td><td>Ended(GONE); the twin is
 *     not whole</td></tr>
 * <tr><td>Entering</td><td>Ending: cut, then on alone</td><td>Ending likewise, or {@code COLO_EXIT}: the same</td><td>Ended(GONE);
 *     the twin may be whole, and may run if the record lets it</td></tr>
 * <tr><td>Running</td><td>of the interval: reported only</td><td>{@code COLO_EXIT}: Broken. Silence: {@code overdue}, and the
 *     engine decides</td><td>Ended(GONE); the standby takes over</td></tr>
 * <tr><td>Broken</td><td></td><td>the guest may stand still: the engine calls {@link ColoActive#carryOnAlone} once the record
 *     lets it, or kills</td><td>Ended(GONE)</td></tr>
 * <tr><td>Ending, BackingOut</td><td>cut out of band and once more; then Ended(STUCK): only killing QEMU helps, and the guest
 *     boots from its disks</td><td>is what it is for</td><td>Ended(GONE)</td></tr>
 * </table>
 */
public sealed interface ActivePhase {
    /** Nothing was done. */
    record Idle() implements ActivePhase {}

    /** Sockets, comparison and filters are made, switched off, while the guest runs. */
    record Preparing() implements ActivePhase {}

    /** Memory moves while the guest runs. {@code remainingBytes} when last asked, -1 before. */
    record MovingMemory(long remainingBytes) implements ActivePhase {}

    /** The guest stands still for the switch; filters go on. */
    record PreSwitchover() implements ActivePhase {}

    /** Both sides have the same state; the first checkpoint is awaited. The twin may be whole. */
    record Entering() implements ActivePhase {}

    /** Protected: checkpoints follow each other. */
    record Running() implements ActivePhase {}

    /** QEMU lost its peer and waits, perhaps with the guest standing still, to be told who goes on. */
    record Broken(String why) implements ActivePhase {}

    /** Frozen for a planned switchover; can still go on. */
    record StoodDown() implements ActivePhase {}

    /** The start is taken back. */
    record BackingOut(String why) implements ActivePhase {}

    /** The twinning is ended and the guest goes on here. */
    record Ending(String why) implements ActivePhase {}

    /** Over. {@code why} is for people. */
    record Ended(Outcome outcome, String why) implements ActivePhase {}

    /** How a twinning ended. */
    enum Outcome {
        /** The guest runs here, unpaired. */
        ALONE,
        /** It can not be said whether the guest runs, or it stands still: QEMU must be killed. */
        STUCK,
        /** This QEMU is gone. */
        GONE
    }

    /** Whether the standby may hold a whole twin, so that it matters who is allowed to go on. */
    default boolean mayHaveTwin() {
        return switch (this) {
            case Entering _, Running _, Broken _, StoodDown _ -> true;
            case Idle _, Preparing _, MovingMemory _, PreSwitchover _, BackingOut _, Ending _, Ended _ -> false;
        };
    }

    /** Whether the drawing has an arrow to {@code next}. */
    default boolean mayBecome(ActivePhase next) {
        if (next instanceof Ended) {
            return !(this instanceof Ended);
        }
        return switch (this) {
            case Idle _ -> next instanceof Preparing || next instanceof Broken;
            case Preparing _ -> next instanceof MovingMemory || next instanceof BackingOut;
            case MovingMemory _ ->
                next instanceof MovingMemory || next instanceof PreSwitchover || next instanceof BackingOut;
            case PreSwitchover _ -> next instanceof Entering || next instanceof BackingOut;
            case Entering _ -> next instanceof Running || next instanceof Ending;
            case Running _ -> next instanceof Broken || next instanceof StoodDown || next instanceof Ending;
            case Broken _ -> next instanceof Ending;
            case StoodDown _ -> next instanceof Running || next instanceof Broken || next instanceof Ending;
            case BackingOut _, Ending _, Ended _ -> false;
        };
    }
}

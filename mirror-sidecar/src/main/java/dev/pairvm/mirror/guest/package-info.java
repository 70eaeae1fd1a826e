/**
 * The guest on this host: QEMU's command line, the launcher that starts it in its own container, its monitor (QMP), its signals,
 * and {@link dev.pairvm.mirror.guest.GuestControl}, which knows in which state it is.
 *
 * <p>QEMU's life does not hang on this process: a restarted mirror adopts what runs. Nothing here decides whether the guest may
 * run; that is the pair's protocol. A guest is fenced with signals, never with QMP {@code stop}, which waits for exactly the I/O
 * that the mirror may be withholding.
 *
 * <p>Level 3 has two sides: {@link dev.pairvm.mirror.guest.ColoActive} gives a running guest a twin,
 * {@link dev.pairvm.mirror.guest.ColoStandby} is the twin's QEMU. {@link dev.pairvm.mirror.guest.ActivePhase} and
 * {@link dev.pairvm.mirror.guest.StandbyPhase} draw their states and say what each failure leads to. What the guest itself does is told
 * from what a host does like this:
 *
 * <table>
 * <caption>Under level 3</caption>
 * <tr><th></th><th>on the active</th><th>on the standby</th><th>what follows</th></tr>
 * <tr><td>reboot</td><td>{@code RESET}, guest: Rebooted</td><td>the same, or nothing; not told</td><td>nothing: the next checkpoint
 *     carries it over</td></tr>
 * <tr><td>panic</td><td>{@code GUEST_PANICKED} with action run: Crashed, which no resumption after a checkpoint undoes</td>
 *     <td>the same, or nothing: Running(crashed) until the next checkpoint</td><td>{@link dev.pairvm.mirror.guest.GuestControl#reset}, by
 *     policy; level 3 goes on, the next checkpoint carries the reset over. A twin that takes over crashed is told as Crashed, and
 *     reset likewise: never two dead copies</td></tr>
 * <tr><td>power-off</td><td>{@code SHUTDOWN}: PoweredOff; checkpoints go on</td><td>the same; not told</td><td>the engine withdraws the
 *     twin's right and kills both QEMUs</td></tr>
 * <tr><td>host, link or QEMU of the peer</td><td>{@code COLO_EXIT} with reason error: Broken; or overdue checkpoints</td>
 *     <td>{@code COLO_EXIT} with reason error: Severed; or nothing</td><td>the arbiter's word: carryOnAlone, or takeOver</td></tr>
 * <tr><td>this QEMU</td><td>its process ends: Ended(GONE)</td><td>Failed</td><td>the other side's row above</td></tr>
 * </table>
 *
 * A panic must not pause the guest while checkpoints run, as it does otherwise: QEMU 11.1 aborts at the next checkpoint, on both sides.
 *
 * <p>Unless a method says otherwise everything is called, and calls back, on the machine's event loop.
 */
@NullMarked
package dev.pairvm.mirror.guest;

import org.jspecify.annotations.NullMarked;

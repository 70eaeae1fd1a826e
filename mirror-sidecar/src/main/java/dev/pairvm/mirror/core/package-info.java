/**
 * The pair protocol as a deterministic state machine: {@link dev.pairvm.mirror.core.PairCore} takes {@link
 * dev.pairvm.mirror.core.Event}s (what happened) and gives {@link dev.pairvm.mirror.core.Effect}s (what to do). No threads, no
 * clock, no I/O, no logging; nothing outside {@code java.base} but the records of {@code dev.pairvm.api.mirror}. The same classes
 * run in the mirror and in the seeded simulator of the test tree.
 *
 * <p>One safety rule governs all of it: <em>a write is acknowledged only when it is on every copy that the arbiter lists as in
 * sync. To acknowledge with fewer, first shrink the list by compare-and-swap; while a compare-and-swap is in doubt, the larger set
 * counts.</em> (After PacificA, MSR-TR-2008-25; bookkeeping after the DRBD user guide, chapter "DRBD internals".)
 */
@NullMarked
package dev.pairvm.mirror.core;

import org.jspecify.annotations.NullMarked;

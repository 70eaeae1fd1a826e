/**
 * Deterministic simulation of a pair in one thread: two real cores, an arbiter, a link, disks with volatile caches, guests, clocks
 * and faults, all drawn from one seed; an oracle that checks the invariants at every step.
 */
@NullMarked
package dev.pairvm.mirror.core.sim;

import org.jspecify.annotations.NullMarked;

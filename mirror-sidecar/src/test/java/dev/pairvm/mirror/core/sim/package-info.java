/**
 * Deterministic simulation of one machine in one thread: two or three real cores, an arbiter, an operator, links, disks with volatile caches, guests, clocks
 * and faults, all drawn from one seed; an oracle that checks the invariants at every step.
 */
@NullMarked
package dev.pairvm.mirror.core.sim;

import org.jspecify.annotations.NullMarked;

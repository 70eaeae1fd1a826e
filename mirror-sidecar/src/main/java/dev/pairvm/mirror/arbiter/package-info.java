/**
 * How a mirror talks to the arbiter: one record per machine, read by quorum and changed only by compare-and-swap, on
 * transitions; never a heartbeat, never a watch. {@link dev.pairvm.mirror.arbiter.LeaseArbiter} is the product's;
 * {@link dev.pairvm.mirror.arbiter.FileArbiter} and {@link dev.pairvm.mirror.arbiter.InMemoryArbiter} serve a pair without a
 * cluster: tests and benchmarks.
 *
 * <p>Nothing here decides or retries a compare-and-swap. What the world does (refusal, silence, absence, damage) is a value.
 */
@NullMarked
package dev.pairvm.mirror.arbiter;

import org.jspecify.annotations.NullMarked;

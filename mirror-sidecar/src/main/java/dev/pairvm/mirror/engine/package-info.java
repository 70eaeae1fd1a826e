/**
 * Where the deterministic core meets the world: takes events from disk, link, arbiter and guest one at a time, carries out the
 * effects in the order the core names them. Decides nothing.
 *
 * <p>Everything here runs on the machine's one event loop unless a method says otherwise.
 */
@NullMarked
package dev.pairvm.mirror.engine;

import org.jspecify.annotations.NullMarked;

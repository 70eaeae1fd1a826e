/**
 * An explicit-state model of the pair protocol, small enough to explore every interleaving: two copies, a few writes, messages lost,
 * duplicated and late, compare-and-swap applied arbitrarily late, crashes at every point. Nine rules can be switched off one at a
 * time; each must then be caught. It models the rules, not the code; the simulator runs the code.
 */
@NullMarked
package dev.pairvm.mirror.core.model;

import org.jspecify.annotations.NullMarked;

/** What is known of nodes, and the pure rules that say where copies may lie. */
@NullMarked
package dev.pairvm.operator.placement;

import org.jspecify.annotations.NullMarked;

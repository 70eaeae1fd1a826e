/** Doubles of what surrounds the operator, written by hand; they can misbehave. */
@NullMarked
package dev.pairvm.operator.testing;

import org.jspecify.annotations.NullMarked;

/** One class per promise: what breaks, what the user must still see. */
@NullMarked
package dev.pairvm.e2e.scenario;

import org.jspecify.annotations.NullMarked;

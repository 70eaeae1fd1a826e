/** A protected machine as its user sees it: one object, one address. */
@NullMarked
package dev.pairvm.e2e.machine;

import org.jspecify.annotations.NullMarked;

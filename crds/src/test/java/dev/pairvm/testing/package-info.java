/** A real API server for tests of every module, from the test jar of crds. */
@NullMarked
package dev.pairvm.testing;

import org.jspecify.annotations.NullMarked;

/** Tests of the arbiter package and their doubles. */
@NullMarked
package dev.pairvm.mirror.arbiter;

import org.jspecify.annotations.NullMarked;

/** Where the bytes of requests, frames and chunks lie: outside of the heap, pooled, in one place for all parts of the mirror. */
@NullMarked
package dev.pairvm.mirror.memory;

import org.jspecify.annotations.NullMarked;

/** Tests of the store, with disks that fail, stall and lose what was not flushed. */
@NullMarked
package dev.pairvm.mirror.store;

import org.jspecify.annotations.NullMarked;

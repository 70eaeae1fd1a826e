/** Where a disk's first content comes from: fetched, checked and laid down once, before the machine's first start. */
@NullMarked
package dev.pairvm.mirror.source;

import org.jspecify.annotations.NullMarked;

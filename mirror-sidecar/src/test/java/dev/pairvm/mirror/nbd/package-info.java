/** Tests of the NBD server, by our own client and by other people's. */
@NullMarked
package dev.pairvm.mirror.nbd;

import org.jspecify.annotations.NullMarked;

/**
 * The peer link: how the mirrors of one machine reach each other. Authenticated connections over every announced path, of which
 * one carries frames ({@link dev.pairvm.mirror.link.PeerLink}); beacons beside them on their own thread and socket
 * ({@link dev.pairvm.mirror.link.Beacons}); byte streams inside them for QEMU's migration
 * ({@link dev.pairvm.mirror.link.StreamChannel}).
 *
 * <p>The link knows who its peer is and that bytes arrived whole and in order. What they mean is the protocol core's business.
 */
@NullMarked
package dev.pairvm.mirror.link;

import org.jspecify.annotations.NullMarked;

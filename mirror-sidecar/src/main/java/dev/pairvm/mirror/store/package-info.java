/**
 * One copy's disks on this host: a plain raw image per disk, and beside it the few facts that make a copy trustworthy after a
 * crash. Blocking calls on file descriptors through the foreign-function interface ({@link dev.pairvm.mirror.store.LinuxFile}),
 * their asynchronous face for the event loop ({@link dev.pairvm.mirror.store.AsyncDisk}), and the metadata: superblock,
 * activity log, dirty bitmaps.
 *
 * <p>Nothing here decides. Which extents are hot, what a copy's state is, when a bitmap page must be durable: that is the
 * protocol core's; this package makes the decision durable, or says with which errno it could not.
 */
@NullMarked
package dev.pairvm.mirror.store;

import org.jspecify.annotations.NullMarked;

/**
 * One copy's disks on this host: a plain raw image per disk, and beside it the few facts that make a copy trustworthy after a
 * crash. Blocking calls on file descriptors through the foreign-function interface ({@link dev.pairvm.mirror.store.LinuxFile}),
 * their asynchronous face for the event loop ({@link dev.pairvm.mirror.store.AsyncDisk}), and the metadata: superblock,
 * activity log, dirty bitmaps.
 *
 * <h2>What lies where</h2>
 *
 * <p>{@code FILE}: {@code disk.img} is the image, sparse and raw; {@code disk.meta} beside it holds the metadata. {@code BLOCK}: the
 * image starts at byte 0 of the device, the metadata are its last bytes: {@code 1088 KiB + 4 KiB per started 2040 MiB of device},
 * at a multiple of 4 KiB. A volume must be larger than the disk by that much. Growing a disk moves nothing as long as the device
 * keeps its size; growing the device itself is not supported, for the metadata would be left behind.
 *
 * <table>
 *   <caption>The metadata, from the start of their area; blocks of 4 KiB, big-endian, each ending in its CRC32C</caption>
 *   <tr><th>at</th><th>what</th><th>written</th><th>when it can not be read</th></tr>
 *   <tr><td>0, 4 KiB</td><td>superblock, two slots: format version, sequence, size and name of the disk; machine, arbiter, copy,
 *     state, epochs, lineage, clean</td><td>the older slot, durably</td><td>the other slot; both bad: <em>damaged</em>, never
 *     <em>blank</em></td></tr>
 *   <tr><td>8 KiB</td><td>zeros</td><td></td><td></td></tr>
 *   <tr><td>64 KiB</td><td>activity log, a ring of 256 records: extents of 4 MiB that became hot or cold; a full snapshot after
 *     every 64</td><td>one record per batch, durably</td><td>torn at the end: ignored, nothing was written on its strength; rotten
 *     in the middle: every extent counts as hot</td></tr>
 *   <tr><td>1088 KiB</td><td>dirty bitmap for the absent peer, a bit per 64 KiB, 510 extents a page</td><td>pages that changed,
 *     durably</td><td>every chunk of the page counts as dirty</td></tr>
 * </table>
 *
 * <p>Each disk of a copy carries all of it, so that a lost device takes its bookkeeping with it. The superblock says the same on
 * every disk; where a crash left them different, the worst of them counts, for nothing was done yet on the strength of a write
 * that did not reach all.
 *
 * <p>Nothing here decides. Which extents are hot, what a copy's state is, when a bitmap page must be durable: that is the
 * protocol core's; this package makes the decision durable, or says with which errno it could not.
 */
@NullMarked
package dev.pairvm.mirror.store;

import org.jspecify.annotations.NullMarked;

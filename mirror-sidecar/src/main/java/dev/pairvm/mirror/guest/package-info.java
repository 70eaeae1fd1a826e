/**
 * The guest on this host: QEMU's command line, the launcher that starts it in its own container, its monitor (QMP), its signals,
 * and {@link dev.pairvm.mirror.guest.GuestControl}, which knows in which state it is.
 *
 * <p>QEMU's life does not hang on this process: a restarted mirror adopts what runs. Nothing here decides whether the guest may
 * run; that is the pair's protocol. A guest is fenced with signals, never with QMP {@code stop}, which waits for exactly the I/O
 * that the mirror may be withholding.
 *
 * <p>Unless a method says otherwise everything is called, and calls back, on the machine's event loop.
 */
@NullMarked
package dev.pairvm.mirror.guest;

import org.jspecify.annotations.NullMarked;

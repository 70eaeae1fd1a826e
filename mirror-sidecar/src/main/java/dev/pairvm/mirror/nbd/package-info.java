/**
 * The NBD server towards QEMU: fixed newstyle handshake, simple and structured replies, over the pod's unix socket (TCP in
 * tests). Protocol facts are from {@code NetworkBlockDevice/nbd doc/proto.md}. A request that passed every check goes to the
 * {@link dev.pairvm.mirror.nbd.NbdBackend} of its export, which answers when it can, or never: a guest whose I/O is suspended
 * waits, and so does only its own connection.
 *
 * <p>Everything runs on the event loop that the server was given. Memory is bounded by {@link dev.pairvm.mirror.nbd.NbdLimits}
 * whatever a client sends; a client that breaks the protocol gets an error where the protocol has one, and loses its connection
 * where it has none.
 */
@NullMarked
package dev.pairvm.mirror.nbd;

import org.jspecify.annotations.NullMarked;

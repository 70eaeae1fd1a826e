/**
 * The guest's network cards in the pod's network namespace: bridges, taps, address translation, and the gate, a rule in the kernel
 * that lets the guest's packets pass only as long as this side's lease lasts, whatever becomes of this process.
 *
 * <p>Set up with {@code ip} and {@code nft}; what must be quick or is on no tool's command line (the gate, attaching a tap,
 * forwarding per device) goes through netlink directly. Needs {@code CAP_NET_ADMIN} in the pod's network namespace and nothing else.
 */
@NullMarked
package dev.pairvm.mirror.network;

import org.jspecify.annotations.NullMarked;

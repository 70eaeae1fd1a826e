/** The gate, bridges and taps are tested in network namespaces of their own, against the kernel itself. Needs root and NET_ADMIN. */
@NullMarked
package dev.pairvm.mirror.network;

import org.jspecify.annotations.NullMarked;

/**
 * Whoever means ill: forged certificates, broken frames, lying requests, orders of strangers. Everything here only speaks; what must
 * come of it is said by {@code HostileE2E}.
 */
@NullMarked
package dev.pairvm.e2e.hostile;

import org.jspecify.annotations.NullMarked;

/** The operator's own certificate authority and the certificates of the mirrors, rotated without a restart. */
@NullMarked
package dev.pairvm.operator.pki;

import org.jspecify.annotations.NullMarked;

/** Tests. */
@NullMarked
package dev.pairvm.operator.pki;

import org.jspecify.annotations.NullMarked;

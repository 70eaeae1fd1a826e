/** Tests. */
@NullMarked
package dev.pairvm.operator.protectedvm;

import org.jspecify.annotations.NullMarked;

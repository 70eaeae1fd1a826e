/** Tests. */
@NullMarked
package dev.pairvm.operator.operation;

import org.jspecify.annotations.NullMarked;

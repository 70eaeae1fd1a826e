/** Tests. */
@NullMarked
package dev.pairvm.operator.desired;

import org.jspecify.annotations.NullMarked;

/** Tests. */
@NullMarked
package dev.pairvm.operator;

import org.jspecify.annotations.NullMarked;

/** Tests. */
@NullMarked
package dev.pairvm.operator.runtime.pod;

import org.jspecify.annotations.NullMarked;

/** The operator: places, repairs and explains machines. It is not in the failover path. Start reading at {@link dev.pairvm.operator.OperatorMain}. */
@NullMarked
package dev.pairvm.operator;

import org.jspecify.annotations.NullMarked;

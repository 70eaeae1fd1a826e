/** Metrics, and the endpoint that serves them beside the health of the process. */
@NullMarked
package dev.pairvm.operator.metrics;

import org.jspecify.annotations.NullMarked;

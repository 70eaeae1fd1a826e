/** Tests of the chart in helm/pairvm. */
@NullMarked
package dev.pairvm.chart;

import org.jspecify.annotations.NullMarked;

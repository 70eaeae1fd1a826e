/** What operator and mirrors say to each other: report, order and the epoch lease. Their only meeting place. */
@NullMarked
package dev.pairvm.api.mirror;

import org.jspecify.annotations.NullMarked;

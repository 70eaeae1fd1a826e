/** The one seam between scenarios and the cluster they run on: lab, kind, or one that exists already. */
@NullMarked
package dev.pairvm.e2e.cluster;

import org.jspecify.annotations.NullMarked;

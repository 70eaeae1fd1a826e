/** How the operator talks with the mirrors in the machines' pods: reports, event streams and orders over mutual TLS. */
@NullMarked
package dev.pairvm.operator.runtime.pod;

import org.jspecify.annotations.NullMarked;

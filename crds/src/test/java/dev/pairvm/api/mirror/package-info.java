/** Tests of what operator and mirrors say to each other. */
@NullMarked
package dev.pairvm.api.mirror;

import org.jspecify.annotations.NullMarked;

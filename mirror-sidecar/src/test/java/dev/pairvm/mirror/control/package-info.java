/** Tests of the control package and their doubles. */
@NullMarked
package dev.pairvm.mirror.control;

import org.jspecify.annotations.NullMarked;

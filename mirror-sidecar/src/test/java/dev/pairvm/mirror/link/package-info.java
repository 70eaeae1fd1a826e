/** Tests of the link package and their doubles. */
@NullMarked
package dev.pairvm.mirror.link;

import org.jspecify.annotations.NullMarked;

@NullMarked
package dev.pairvm.mirror.source;

import org.jspecify.annotations.NullMarked;

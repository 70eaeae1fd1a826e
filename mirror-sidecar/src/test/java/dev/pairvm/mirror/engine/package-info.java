@NullMarked
package dev.pairvm.mirror.engine;

import org.jspecify.annotations.NullMarked;

/** Guest control against a monitor that misbehaves, and against real QEMU where one is installed. */
@NullMarked
package dev.pairvm.mirror.guest;

import org.jspecify.annotations.NullMarked;

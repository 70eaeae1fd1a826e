/** The mirror: main class and wiring; one process beside each copy of a machine's disks. */
@NullMarked
package dev.pairvm.mirror;

import org.jspecify.annotations.NullMarked;

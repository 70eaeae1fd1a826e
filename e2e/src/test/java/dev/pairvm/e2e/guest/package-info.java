/** Clients of the test guest's services: sequence stream, echo, write log, control. */
@NullMarked
package dev.pairvm.e2e.guest;

import org.jspecify.annotations.NullMarked;

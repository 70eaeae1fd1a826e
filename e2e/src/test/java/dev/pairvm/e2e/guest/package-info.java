/** Clients of the test guest's services: sequence stream, echo, HTTP, write log, control; the steady ones judge what comes. */
@NullMarked
package dev.pairvm.e2e.guest;

import org.jspecify.annotations.NullMarked;

/** The loop of a ProtectedVM: observe, plan (pure), apply, report. Every pass does all of it and never asks what woke it. */
@NullMarked
package dev.pairvm.operator.protectedvm;

import org.jspecify.annotations.NullMarked;

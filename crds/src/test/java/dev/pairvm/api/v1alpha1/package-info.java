@NullMarked
package dev.pairvm.api.v1alpha1;

import org.jspecify.annotations.NullMarked;

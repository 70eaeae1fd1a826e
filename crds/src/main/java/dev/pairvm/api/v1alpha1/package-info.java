/**
 * The Kubernetes API of PairVM, {@code pairvm.dev/v1alpha1}: {@link dev.pairvm.api.v1alpha1.ProtectedVM} and
 * {@link dev.pairvm.api.v1alpha1.ProtectedVMOperation}. These records are the source; the manifests in {@code crds/manifests}
 * are generated from them and tested for drift.
 *
 * <p>Enum constants are spelt as on the wire, so that {@code toString()} is what a user wrote. A component with a default in
 * the schema has the same default here: an object read from a file means what it means to the API server. All records are
 * immutable and may be shared between threads.
 */
@NullMarked
package dev.pairvm.api.v1alpha1;

import org.jspecify.annotations.NullMarked;

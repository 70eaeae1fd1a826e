/** What should exist for a machine, as pure functions from its spec: pods, claims, configuration, access rules, services. Nothing here acts or reads. */
@NullMarked
package dev.pairvm.operator.desired;

import org.jspecify.annotations.NullMarked;

/**
 * What a mirror says of itself and takes orders by: HTTPS with client certificates for the operator
 * ({@link dev.pairvm.mirror.control.ControlServer}), plain HTTP for probes and metrics
 * ({@link dev.pairvm.mirror.control.HealthServer}). Both decide nothing: reports come from a
 * {@link dev.pairvm.mirror.control.ReportDesk}, orders go to an {@link dev.pairvm.mirror.control.OrderDesk}.
 */
@NullMarked
package dev.pairvm.mirror.control;

import org.jspecify.annotations.NullMarked;

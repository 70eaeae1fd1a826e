package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import java.util.Optional;

/**
 * A claim of one of this machine's copies.
 *
 * @param copy whose claim
 * @param disk name of the disk
 * @param name its name
 * @param node the node chosen for its volume, where the class waits for a first consumer
 * @param bound whether it has its volume
 */
public record ClaimFact(CopyId copy, String disk, String name, Optional<String> node, boolean bound) {}

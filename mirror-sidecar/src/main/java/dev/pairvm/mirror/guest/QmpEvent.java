package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * Something QEMU reported by itself.
 *
 * @param name as in QEMU's QMP reference: {@code SHUTDOWN}, {@code RESET}, {@code STOP}, {@code MIGRATION}, …
 * @param data its members; a missing node where it has none
 * @param micros QEMU's wall clock, microseconds since 1970, -1 if the host could not tell
 */
public record QmpEvent(String name, JsonNode data, long micros) {}

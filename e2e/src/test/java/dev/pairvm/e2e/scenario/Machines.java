package dev.pairvm.e2e.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;

/** Short questions to a machine's status. */
final class Machines {
    private Machines() {}

    static boolean conditionIs(JsonNode status, String type, String value) {
        return Machine.condition(status, type).equals(value);
    }
}

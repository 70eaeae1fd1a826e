package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A command of QEMU's monitor.
 *
 * @param name as in QEMU's QMP reference
 * @param arguments its members, empty where it has none
 */
record QmpCommand(String name, ObjectNode arguments) {
    static QmpCommand of(String name) {
        return new QmpCommand(name, JsonNodeFactory.instance.objectNode());
    }

    QmpCommand with(String key, String value) {
        arguments.put(key, value);
        return this;
    }

    QmpCommand with(String key, long value) {
        arguments.put(key, value);
        return this;
    }

    QmpCommand with(String key, boolean value) {
        arguments.put(key, value);
        return this;
    }
}

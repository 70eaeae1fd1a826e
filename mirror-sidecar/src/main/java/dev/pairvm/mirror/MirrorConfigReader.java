package dev.pairvm.mirror;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * {@code mirror.json} as a {@link MirrorConfig}; see {@link PlainJson} for why by hand. Fields that a later operator adds at the top are
 * passed over, as the record promises; further down nothing is: a field that would be ignored there might change what a disk or a guest is.
 *
 * <p>{@code MirrorConfigReaderTest} holds it to what Jackson makes of the same document, every component of the record included.
 */
final class MirrorConfigReader {
    private final String where;
    private final Map<?, ?> members;
    private int taken;

    private MirrorConfigReader(String where, Map<?, ?> members) {
        this.where = where;
        this.members = members;
    }

    /**
     * Reads the document.
     *
     * @throws IllegalArgumentException naming the field, if it is no configuration
     */
    static MirrorConfig read(byte[] json) {
        MirrorConfigReader at = of("", PlainJson.read(json));
        return new MirrorConfig(
                at.text("machine"),
                at.text("machineUid"),
                at.text("namespace"),
                new CopyId(at.text("copy")),
                at.text("lease"),
                at.each("disks", MirrorConfigReader::disk),
                at.object("timing").whole(MirrorConfigReader::timing),
                at.name("slowPeer", MirrorConfig.SlowPeer.class),
                at.object("link").whole(link -> new MirrorConfig.Link(link.number("port"), link.texts("interfaces"))),
                at.object("guest").whole(MirrorConfigReader::guest),
                at.flag("running"),
                at.maybeObject("resync")
                        .map(resync -> resync.whole(limits -> new MirrorConfig.Resync(
                                limits.number("foregroundPercent"), limits.large("maxBytesPerSecond")))),
                at.maybeObject("twin").map(twin -> twin.whole(MirrorConfigReader::twin)));
    }

    private static MirrorConfig.Timing timing(MirrorConfigReader at) {
        return new MirrorConfig.Timing(at.number("beaconMillis"), at.number("leaseMillis"), at.number("graceMillis"));
    }

    private static MirrorConfig.Twin twin(MirrorConfigReader at) {
        return new MirrorConfig.Twin(
                at.flag("wished"),
                at.object("checkpoint")
                        .whole(checkpoint -> new MirrorConfig.Checkpoint(
                                checkpoint.number("maxIntervalMillis"),
                                checkpoint.number("maxPauseMillis"),
                                checkpoint.number("compareTimeoutMillis"))),
                at.text("overlays"),
                at.large("overlayBytes"));
    }

    private static MirrorConfig.Disk disk(MirrorConfigReader at) {
        return new MirrorConfig.Disk(
                at.text("name"),
                at.text("path"),
                at.name("kind", MirrorConfig.Disk.Kind.class),
                at.large("sizeBytes"),
                at.maybeText("serial"),
                at.maybeNumber("bootOrder"));
    }

    private static MirrorConfig.Guest guest(MirrorConfigReader at) {
        return new MirrorConfig.Guest(
                at.object("cpu")
                        .whole(cpu -> new MirrorConfig.Cpu(
                                cpu.number("sockets"), cpu.number("cores"), cpu.number("threads"), cpu.text("model"))),
                at.number("memoryMib"),
                at.text("machineType"),
                at.object("firmware")
                        .whole(firmware -> new MirrorConfig.Firmware(
                                firmware.flag("efi"), firmware.text("uuid"), firmware.maybeText("serial"))),
                at.each("interfaces", MirrorConfigReader::networkCard),
                at.maybeText("hostname"),
                at.flag("cloudInit"),
                at.maybeText("kernelArgs"),
                at.name("onCrash", MirrorConfig.OnCrash.class),
                at.number("terminationGraceSeconds"));
    }

    private static MirrorConfig.Interface networkCard(MirrorConfigReader at) {
        return new MirrorConfig.Interface(
                at.text("name"),
                at.text("mac"),
                at.name("binding", MirrorConfig.Binding.class),
                at.text("podInterface"),
                at.each("ports", port -> new MirrorConfig.Port(port.text("protocol"), port.number("port"))));
    }

    // ------------------------------------------------------------------------------------------------- one object

    private interface Reading<T> {
        T from(MirrorConfigReader at);
    }

    private static MirrorConfigReader of(String where, @Nullable Object value) {
        if (value instanceof Map<?, ?> members) {
            return new MirrorConfigReader(where, members);
        }
        throw new IllegalArgumentException(where.isEmpty() ? "it is no object" : where + " must be an object");
    }

    /** Reads an object of which no field may be left over. */
    private <T> T whole(Reading<T> reading) {
        T read = reading.from(this);
        if (taken < members.size()) {
            throw new IllegalArgumentException(
                    where + " has a field that this mirror does not know; it has " + members.keySet());
        }
        return read;
    }

    private String path(String field) {
        return where.isEmpty() ? field : where + "." + field;
    }

    /** Null if it is null or not there. */
    private @Nullable Object maybe(String field) {
        taken += members.containsKey(field) ? 1 : 0;
        return members.get(field);
    }

    private Object there(String field) {
        Object value = maybe(field);
        if (value == null) {
            throw new IllegalArgumentException(path(field) + " is missing");
        }
        return value;
    }

    private IllegalArgumentException wrong(String field, String expected) {
        return new IllegalArgumentException(path(field) + " must be " + expected);
    }

    private String text(String field) {
        if (there(field) instanceof String text) {
            return text;
        }
        throw wrong(field, "a string");
    }

    private Optional<String> maybeText(String field) {
        Object value = maybe(field);
        if (value == null || value instanceof String) {
            return Optional.ofNullable((String) value);
        }
        throw wrong(field, "a string");
    }

    private long large(String field) {
        if (there(field) instanceof Long number) {
            return number;
        }
        throw wrong(field, "a whole number");
    }

    private int number(String field) {
        return small(field, large(field));
    }

    private Optional<Integer> maybeNumber(String field) {
        Object value = maybe(field);
        if (value == null) {
            return Optional.empty();
        }
        if (value instanceof Long number) {
            return Optional.of(small(field, number));
        }
        throw wrong(field, "a whole number");
    }

    private int small(String field, long number) {
        if (number != (int) number) {
            throw wrong(field, "a whole number of 32 bits, got " + number);
        }
        return (int) number;
    }

    private boolean flag(String field) {
        if (there(field) instanceof Boolean flag) {
            return flag;
        }
        throw wrong(field, "true or false");
    }

    private <E extends Enum<E>> E name(String field, Class<E> names) {
        String name = text(field);
        for (E each : names.getEnumConstants()) {
            if (each.name().equals(name)) {
                return each;
            }
        }
        throw wrong(field, "one of " + List.of(names.getEnumConstants()) + ", got \"" + name + "\"");
    }

    private MirrorConfigReader object(String field) {
        return of(path(field), there(field));
    }

    private Optional<MirrorConfigReader> maybeObject(String field) {
        Object value = maybe(field);
        return value == null ? Optional.empty() : Optional.of(of(path(field), value));
    }

    private <T> List<T> each(String field, Reading<T> reading) {
        if (!(there(field) instanceof List<?> values)) {
            throw wrong(field, "a list");
        }
        List<T> read = new ArrayList<>(values.size());
        for (int i = 0; i < values.size(); i++) {
            read.add(of(path(field) + "[" + i + "]", values.get(i)).whole(reading));
        }
        return List.copyOf(read);
    }

    private List<String> texts(String field) {
        if (!(there(field) instanceof List<?> values)) {
            throw wrong(field, "a list");
        }
        List<String> read = new ArrayList<>(values.size());
        for (Object value : values) {
            if (!(value instanceof String text)) {
                throw wrong(field, "a list of strings");
            }
            read.add(text);
        }
        return List.copyOf(read);
    }
}

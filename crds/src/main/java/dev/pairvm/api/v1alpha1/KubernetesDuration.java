package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JacksonAnnotationsInside;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import io.fabric8.crd.generator.annotation.SchemaFrom;
import java.io.IOException;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Durations as Kubernetes writes them: one or more numbers with a unit, {@code 400ms}, {@code 1m30s}. Units are {@code ms},
 * {@code s}, {@code m} and {@code h}. Numbers are whole: so everything that the schema lets pass can be read, and one object
 * that can not be read does not stop an informer from reading all others.
 */
public final class KubernetesDuration {
    /** What the schema asks of a duration. */
    public static final String PATTERN = "^([0-9]{1,6}(ms|s|m|h)){1,4}$";

    private static final Pattern WHOLE = Pattern.compile(PATTERN);
    private static final Pattern PART = Pattern.compile("([0-9]+)(ms|s|m|h)");

    private KubernetesDuration() {}

    /**
     * Reads a duration.
     *
     * @throws IllegalArgumentException if it is not of the shape above, quoting it
     */
    public static Duration parse(String text) {
        if (!WHOLE.matcher(text).matches()) {
            String shown = text.length() <= 40 ? text : text.substring(0, 40) + "…";
            throw new IllegalArgumentException("a duration looks like 400ms or 1m30s, got \"" + shown + "\"");
        }
        long millis = 0;
        Matcher part = PART.matcher(text);
        while (part.find()) {
            millis += Long.parseLong(part.group(1)) * unitMillis(part.group(2));
        }
        return Duration.ofMillis(millis);
    }

    /** Writes a duration, cut to whole milliseconds; what {@link #parse} reads again. Negative ones are written as {@code 0ms}. */
    public static String format(Duration duration) {
        long millis = Math.max(0, duration.toMillis());
        if (millis % 1000 != 0 || millis == 0) {
            return millis < 1000 ? millis + "ms" : millis / 1000 + "s" + millis % 1000 + "ms";
        }
        long seconds = millis / 1000;
        StringBuilder text = new StringBuilder();
        if (seconds >= 3600) {
            text.append(seconds / 3600).append('h');
        }
        if (seconds % 3600 >= 60) {
            text.append(seconds % 3600 / 60).append('m');
        }
        if (seconds % 60 != 0) {
            text.append(seconds % 60).append('s');
        }
        return text.toString();
    }

    /** Marks a component of type {@link Duration} that is written so; a string in the schema. */
    @JacksonAnnotationsInside
    @SchemaFrom(type = String.class)
    @JsonSerialize(using = Serializer.class)
    @JsonDeserialize(using = Deserializer.class)
    @Retention(RetentionPolicy.RUNTIME)
    @Target({ElementType.FIELD, ElementType.METHOD, ElementType.PARAMETER})
    @interface Text {}

    private static long unitMillis(String unit) {
        return switch (unit) {
            case "ms" -> 1;
            case "s" -> 1_000;
            case "m" -> 60_000;
            case "h" -> 3_600_000;
            default -> throw new IllegalArgumentException("unit " + unit);
        };
    }

    /** For Jackson. */
    static final class Serializer extends StdSerializer<Duration> {
        private static final long serialVersionUID = 1L;

        Serializer() {
            super(Duration.class);
        }

        @Override
        public void serialize(Duration value, JsonGenerator json, SerializerProvider provider) throws IOException {
            json.writeString(format(value));
        }
    }

    /** For Jackson. */
    static final class Deserializer extends StdDeserializer<Duration> {
        private static final long serialVersionUID = 1L;

        Deserializer() {
            super(Duration.class);
        }

        @Override
        public Duration deserialize(JsonParser json, DeserializationContext context) throws IOException {
            try {
                return parse(json.getValueAsString(""));
            } catch (IllegalArgumentException e) {
                throw context.weirdStringException(json.getValueAsString(""), Duration.class, e.getMessage());
            }
        }
    }
}

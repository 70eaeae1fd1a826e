package dev.pairvm.mirror;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads one JSON document of the few kinds that {@code mirror.json} needs: objects as {@link Map}, arrays as {@link List}, strings, whole
 * numbers as {@link Long}, {@link Boolean}, null. Fractions are refused, and so is a name that comes twice.
 *
 * <p>By Jackson's streaming parser alone, because it is the first thing a mirror does, and a restarted mirror holds up the guest's I/O:
 * the object mapper was a third of the whole start. Everything after the start uses that.
 */
final class PlainJson {
    private static final int DEEPEST = 20;
    /** A ConfigMap holds no more. */
    private static final int MOST_BYTES = 1 << 20;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(DEEPEST).build())
            .build();

    private PlainJson() {}

    /**
     * The document's value.
     *
     * @throws IllegalArgumentException if it is not JSON of these kinds; says what and where
     */
    static @Nullable Object read(byte[] utf8) {
        if (utf8.length > MOST_BYTES) {
            throw new IllegalArgumentException("longer than " + MOST_BYTES + " bytes");
        }
        try (JsonParser json = FACTORY.createParser(utf8)) {
            json.nextToken();
            Object value = value(json);
            if (json.nextToken() != null) {
                throw wrong(json, "something behind the end");
            }
            return value;
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new IllegalArgumentException("not UTF-8", e);
        }
    }

    private static @Nullable Object value(JsonParser json) throws IOException {
        JsonToken token = json.currentToken();
        if (token == null) {
            throw wrong(json, "it ends");
        }
        return switch (token) {
            case START_OBJECT -> object(json);
            case START_ARRAY -> array(json);
            case VALUE_STRING -> json.getText();
            case VALUE_NUMBER_INT -> json.getLongValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            case VALUE_NUMBER_FLOAT -> throw wrong(json, "a number that is not whole");
            default -> throw wrong(json, "no value");
        };
    }

    private static Map<String, @Nullable Object> object(JsonParser json) throws IOException {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            if (members.containsKey(name)) {
                throw wrong(json, "\"" + name + "\" comes twice");
            }
            json.nextToken();
            members.put(name, value(json));
        }
        return members;
    }

    private static List<@Nullable Object> array(JsonParser json) throws IOException {
        List<@Nullable Object> elements = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            elements.add(value(json));
        }
        return elements;
    }

    private static IllegalArgumentException wrong(JsonParser json, String what) {
        var at = json.currentTokenLocation();
        return new IllegalArgumentException(
                "not as expected at line " + at.getLineNr() + ", column " + at.getColumnNr() + ": " + what);
    }
}

package dev.pairvm.mirror.control;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** JSON of the control endpoint. Orders are read strictly: a field that would be ignored might have changed their meaning. */
final class ControlJson {
    /** An order has a handful of short fields. */
    static final int MOST_ORDER_BYTES = 16 << 10;

    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(20)
                            .maxDocumentLength(MOST_ORDER_BYTES)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
                    .build())
            .registerModule(new Jdk8Module())
            .setDefaultPropertyInclusion(JsonInclude.Include.NON_ABSENT)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    private ControlJson() {}

    static String report(MirrorReport report) {
        return write(report);
    }

    /** Reads an order. */
    static MirrorOrder order(byte[] json) throws MalformedOrderException {
        try {
            MirrorOrder order = JSON.readValue(json, MirrorOrder.class);
            if (order == null) {
                throw new MalformedOrderException("order is null");
            }
            return order;
        } catch (InvalidTypeIdException e) {
            throw new MalformedOrderException(
                    e.getTypeId() == null
                            ? "order has no field \"type\"; known types: Switchover, Leave, SetRunning, Verify, Grow"
                            : "order type \"" + shorten(e.getTypeId())
                                    + "\" is not known to this mirror; known types: Switchover, Leave, SetRunning, Verify, Grow");
        } catch (UnrecognizedPropertyException e) {
            throw new MalformedOrderException(
                    "order has a field \"" + shorten(e.getPropertyName()) + "\" that this mirror does not know");
        } catch (JsonMappingException e) {
            String field = e.getPath().isEmpty()
                    ? ""
                    : " at field \""
                            + shorten(String.valueOf(e.getPath().getLast().getFieldName())) + "\"";
            throw new MalformedOrderException("order can not be read" + field + ": " + shorten(e.getOriginalMessage()));
        } catch (JsonProcessingException e) {
            throw new MalformedOrderException("order can not be read: " + shorten(e.getOriginalMessage()));
        } catch (IOException e) {
            throw new MalformedOrderException("order can not be read: " + e.getMessage());
        }
    }

    /** {@code {"outcome": …}} with further facts in pairs. */
    static String facts(Object... namesAndValues) {
        Map<String, Object> facts = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            facts.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return write(facts);
    }

    private static String write(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(
                    "can not be written as JSON: " + value.getClass().getSimpleName(), e);
        }
    }

    private static String shorten(String text) {
        String printable = text.replaceAll("\\p{Cntrl}", " ");
        return printable.length() <= 200 ? printable : printable.substring(0, 200) + "…";
    }

    /** Answered with 400; the message names field or fact. */
    static final class MalformedOrderException extends Exception {
        private static final long serialVersionUID = 1L;

        MalformedOrderException(String message) {
            super(message);
        }
    }
}

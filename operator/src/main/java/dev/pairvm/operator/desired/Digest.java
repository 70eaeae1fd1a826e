package dev.pairvm.operator.desired;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Quantity;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/** Compares what should exist with what does, without asking the API server. */
public final class Digest {
    private static final ObjectMapper JSON =
            new ObjectMapper().configure(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS, true);
    private static final int BYTES = 12;

    private Digest() {}

    /** A short digest of an object's content; equal objects have equal ones. */
    public static String of(HasMetadata object) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256")
                    .digest(JSON.writeValueAsString(object).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("model objects always serialise", e);
        }
    }

    /** Whether everything that {@code wish} says holds of {@code existing}, which may say more: defaults, status, others' fields. */
    public static boolean contains(HasMetadata existing, HasMetadata wish) {
        return contains(JSON.valueToTree(existing), JSON.<JsonNode>valueToTree(wish));
    }

    private static boolean contains(JsonNode existing, JsonNode wish) {
        if (wish.isObject()) {
            for (Map.Entry<String, JsonNode> field : wish.properties()) {
                JsonNode there = existing.get(field.getKey());
                if (there == null) {
                    if (isEmpty(field.getValue())) {
                        continue;
                    }
                    return false;
                }
                if (!contains(there, field.getValue())) {
                    return false;
                }
            }
            return true;
        }
        if (wish.isArray()) {
            if (existing.size() != wish.size()) {
                return false;
            }
            for (int i = 0; i < wish.size(); i++) {
                if (!contains(existing.get(i), wish.get(i))) {
                    return false;
                }
            }
            return true;
        }
        return existing.equals(wish) || existing.asText().equals(wish.asText()) || sameQuantity(existing, wish);
    }

    private static boolean isEmpty(JsonNode value) {
        return value.isNull() || (value.isContainerNode() && value.isEmpty());
    }

    /** The API server writes quantities its own way: {@code 1024Mi} comes back as {@code 1Gi}. */
    private static boolean sameQuantity(JsonNode existing, JsonNode wish) {
        try {
            return existing.isTextual()
                    && wish.isTextual()
                    && Quantity.parse(existing.asText())
                                    .getNumericalAmount()
                                    .compareTo(Quantity.parse(wish.asText()).getNumericalAmount())
                            == 0;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}

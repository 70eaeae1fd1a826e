package dev.pairvm.mirror.arbiter;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.EpochLease;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A Lease as a JSON tree, so that a read-modify-write keeps every field that is not ours: labels, owner references, finalizers,
 * and whatever a later version of the API adds. Immutable: changes give a new document.
 */
final class LeaseDocument {
    /** A Lease of ours is about 1 KiB; managed fields may triple that. An answer beyond this is not one. */
    static final int MOST_BYTES = 1 << 20;

    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(50)
                            .maxDocumentLength(MOST_BYTES)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private final ObjectNode tree;

    private LeaseDocument(ObjectNode tree) {
        this.tree = tree;
    }

    /** Reads a Lease; its record may still be malformed, see {@link #read}. */
    static LeaseDocument parse(byte[] json) throws NotALeaseException {
        JsonNode node = parseJson(json);
        if (!(node instanceof ObjectNode object)) {
            throw new NotALeaseException("it is no JSON object");
        }
        if (!object.path("kind").asText().equals("Lease")) {
            throw new NotALeaseException(
                    "kind is \"" + shorten(object.path("kind").asText()) + "\", expected \"Lease\"");
        }
        LeaseDocument lease = new LeaseDocument(object);
        if (lease.version().isEmpty()) {
            throw new NotALeaseException("metadata.resourceVersion is missing");
        }
        return lease;
    }

    /** Whether this is an API server's {@code Status} that says NotFound: a bare 404 may come from anything in between. */
    static boolean isNotFoundStatus(byte[] json) {
        try {
            JsonNode node = parseJson(json);
            return node.path("kind").asText().equals("Status")
                    && node.path("reason").asText().equals("NotFound");
        } catch (NotALeaseException e) {
            return false;
        }
    }

    /** The message of an API server's {@code Status}, shortened, for a log sentence. */
    static Optional<String> statusMessage(byte[] json) {
        try {
            JsonNode message = parseJson(json).path("message");
            return message.isTextual() ? Optional.of(shorten(message.asText())) : Optional.empty();
        } catch (NotALeaseException e) {
            return Optional.empty();
        }
    }

    private static JsonNode parseJson(byte[] json) throws NotALeaseException {
        try {
            return JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new NotALeaseException("it is no JSON: " + shorten(e.getOriginalMessage()));
        } catch (IOException e) {
            throw new NotALeaseException("it can not be read: " + e);
        }
    }

    String version() {
        return tree.path("metadata").path("resourceVersion").asText();
    }

    /** {@link ReadResult.Read} or {@link ReadResult.Malformed}. */
    ReadResult read() {
        JsonNode spec = tree.path("spec");
        JsonNode holder = spec.path("holderIdentity");
        JsonNode epoch = spec.path("leaseTransitions");
        String uid = tree.path("metadata").path("uid").asText();
        if (!holder.isTextual()) {
            return new ReadResult.Malformed("spec.holderIdentity is missing");
        }
        if (!epoch.canConvertToExactIntegral() || !epoch.canConvertToLong()) {
            return new ReadResult.Malformed("spec.leaseTransitions is missing or no integer");
        }
        if (uid.isEmpty()) {
            return new ReadResult.Malformed("metadata.uid is missing");
        }
        try {
            ArbiterRecord arbiter = EpochLease.parse(holder.asText(), epoch.asLong(), annotations());
            return new ReadResult.Read(arbiter, version(), uid);
        } catch (EpochLease.MalformedLeaseException | IllegalArgumentException e) {
            return new ReadResult.Malformed(shorten(String.valueOf(e.getMessage())));
        }
    }

    private Map<String, String> annotations() {
        Map<String, String> annotations = new LinkedHashMap<>();
        tree.path("metadata").path("annotations").properties().forEach(entry -> {
            if (entry.getValue().isTextual()) {
                annotations.put(entry.getKey(), entry.getValue().asText());
            }
        });
        return annotations;
    }

    /** This Lease with everything of the record but the addresses. */
    LeaseDocument withRecord(ArbiterRecord next) {
        if (next.epoch().value() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("a Lease can not hold epoch " + next.epoch());
        }
        ObjectNode copy = tree.deepCopy();
        ObjectNode spec = copy.withObject("/spec");
        spec.put("holderIdentity", next.active().value());
        spec.put("leaseTransitions", (int) next.epoch().value());
        ObjectNode annotations = copy.withObject("/metadata/annotations");
        EpochLease.annotations(next).forEach((key, value) -> {
            if (!key.startsWith(EpochLease.ADDRESSES)) {
                annotations.put(key, value);
            }
        });
        return new LeaseDocument(copy);
    }

    /** This Lease with one mirror's addresses; the same object if it has them already. */
    LeaseDocument withAddresses(CopyId copy, List<String> addresses) {
        String key = EpochLease.ADDRESSES + copy;
        String value = String.join(",", addresses);
        if (value.equals(annotations().get(key))) {
            return this;
        }
        ObjectNode changed = tree.deepCopy();
        changed.withObject("/metadata/annotations").put(key, value);
        return new LeaseDocument(changed);
    }

    LeaseDocument withVersion(String version) {
        ObjectNode changed = tree.deepCopy();
        changed.withObject("/metadata").put("resourceVersion", version);
        return new LeaseDocument(changed);
    }

    byte[] toJson() {
        try {
            return JSON.writeValueAsBytes(tree);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree can not be written: " + e.getOriginalMessage(), e);
        }
    }

    /** A Lease with only our fields, for stores without an API server. */
    static LeaseDocument create(String name, String uid, ArbiterRecord first) {
        ObjectNode tree = JSON.createObjectNode();
        tree.put("apiVersion", "coordination.k8s.io/v1").put("kind", "Lease");
        tree.withObject("/metadata").put("name", name).put("uid", uid).put("resourceVersion", "1");
        LeaseDocument lease = new LeaseDocument(tree).withRecord(first);
        for (Map.Entry<CopyId, List<String>> entry : first.addresses().entrySet()) {
            lease = lease.withAddresses(entry.getKey(), entry.getValue());
        }
        return lease;
    }

    static String shorten(String text) {
        String printable = text.replaceAll("\\p{Cntrl}", " ");
        return printable.length() <= 200 ? printable : printable.substring(0, 200) + "…";
    }

    @Override
    public String toString() {
        return new String(toJson(), StandardCharsets.UTF_8);
    }

    /** What was read is no Lease; the message says why, starting with "it" or a field. */
    static final class NotALeaseException extends Exception {
        private static final long serialVersionUID = 1L;

        NotALeaseException(String message) {
            super(message);
        }
    }
}

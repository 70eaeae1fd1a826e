package dev.pairvm.api.mirror;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * How an {@link ArbiterRecord} lies in a {@code coordination.k8s.io/v1} Lease: {@code spec.holderIdentity} is the active copy,
 * {@code spec.leaseTransitions} the epoch, annotations hold the rest. The Lease's times are never used,
 * for clocks decide nothing here. Pure translation; no Kubernetes client, so that the mirror need not carry one.
 */
public final class EpochLease {
    /** Comma-separated copies in sync, for every disk: {@code a,b}. */
    public static final String IN_SYNC = "pairvm.dev/in-sync";
    /** {@code HA} or {@code FT}. */
    public static final String MODE = "pairvm.dev/mode";
    /** Random word of the writer of this epoch. */
    public static final String NONCE = "pairvm.dev/nonce";
    /** Prefix; the copy follows: {@code addresses.pairvm.dev/a: 10.1.2.3:7400,10.9.0.3:7400}. */
    public static final String ADDRESSES = "addresses.pairvm.dev/";

    private static final int MOST_ADDRESSES = 8;

    private EpochLease() {}

    /** The Lease of this machine: {@code pairvm-orders}. */
    public static String nameFor(String machine) {
        return "pairvm-" + machine;
    }

    /** The record as a Lease's annotations; {@code holderIdentity} and {@code leaseTransitions} stand beside them. */
    public static Map<String, String> annotations(ArbiterRecord arbiter) {
        Map<String, String> annotations = new LinkedHashMap<>();
        annotations.put(IN_SYNC, arbiter.inSync().stream().map(CopyId::value).collect(Collectors.joining(",")));
        annotations.put(MODE, arbiter.mode().name());
        annotations.put(NONCE, arbiter.nonce());
        arbiter.addresses().forEach((copy, list) -> annotations.put(ADDRESSES + copy, String.join(",", list)));
        return annotations;
    }

    /**
     * Reads a record; annotations of others are passed over.
     *
     * @throws MalformedLeaseException naming the field, if the Lease was damaged by hand
     */
    public static ArbiterRecord parse(String holderIdentity, long leaseTransitions, Map<String, String> annotations) {
        try {
            SortedSet<CopyId> inSync = split(required(annotations, IN_SYNC)).stream()
                    .map(CopyId::new)
                    .collect(Collectors.toCollection(TreeSet::new));
            SortedMap<CopyId, List<String>> addresses = new TreeMap<>();
            annotations.forEach((key, value) -> {
                if (key.startsWith(ADDRESSES)) {
                    List<String> list = split(value);
                    addresses.put(
                            new CopyId(key.substring(ADDRESSES.length())),
                            list.subList(0, Math.min(list.size(), MOST_ADDRESSES)));
                }
            });
            return new ArbiterRecord(
                    new Epoch(leaseTransitions),
                    new CopyId(holderIdentity),
                    inSync,
                    ArbiterRecord.Mode.valueOf(required(annotations, MODE)),
                    required(annotations, NONCE),
                    addresses);
        } catch (IllegalArgumentException e) {
            throw new MalformedLeaseException("arbiter record can not be read: " + e.getMessage(), e);
        }
    }

    private static List<String> split(String value) {
        return Arrays.stream(value.split(","))
                .map(String::strip)
                .filter(part -> !part.isEmpty())
                .toList();
    }

    private static String required(Map<String, String> annotations, String key) {
        String value = annotations.get(key);
        if (value == null) {
            throw new IllegalArgumentException("annotation " + key + " is missing");
        }
        return value;
    }

    /** The Lease does not hold an arbiter record; nobody may promote on it. */
    public static final class MalformedLeaseException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        MalformedLeaseException(String message, Throwable cause) {
            super(message, cause);
        }
    }
}

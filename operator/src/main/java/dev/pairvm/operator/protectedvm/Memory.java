package dev.pairvm.operator.protectedvm;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import dev.pairvm.api.mirror.CopyId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the operator must not forget about a machine, kept as an annotation of the ProtectedVM and written before anything is done
 * that relies on it. Everything else is observed anew in each pass.
 *
 * @param lease uid of the arbiter Lease; present once it was created. A Lease that is missing later is lost, not new
 * @param copies the copies that should exist, in the order in which they were made; more than two only while one takes over from
 *     another
 * @param last the last letter given out; letters are never given twice
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record Memory(Optional<String> lease, List<CopyId> copies, CopyId last) {
    /** Of a machine that nothing was done for yet. */
    public static final Memory FRESH =
            new Memory(Optional.empty(), List.of(new CopyId("a"), new CopyId("b")), new CopyId("b"));

    private static final ObjectMapper JSON = new ObjectMapper().registerModule(new Jdk8Module());
    private static final int LETTERS = 26;

    /** Copies the list. */
    public Memory {
        copies = List.copyOf(copies);
    }

    /** The same with the Lease's uid. */
    public Memory withLease(String uid) {
        return new Memory(Optional.of(uid), copies, last);
    }

    /** The same with one more copy, of a letter never used before. */
    @JsonIgnore
    public Memory withNewCopy() {
        CopyId next = after(last);
        List<CopyId> more = new ArrayList<>(copies);
        more.add(next);
        return new Memory(lease, more, next);
    }

    /** The same without this copy; its letter stays used. */
    public Memory without(CopyId copy) {
        return new Memory(lease, copies.stream().filter(c -> !c.equals(copy)).toList(), last);
    }

    /** {@code a, …, z, aa, ab, …}. */
    static CopyId after(CopyId copy) {
        int number = 0;
        for (char letter : copy.value().toCharArray()) {
            number = number * LETTERS + (letter - 'a' + 1);
        }
        StringBuilder name = new StringBuilder();
        for (int rest = number + 1; rest > 0; rest = (rest - 1) / LETTERS) {
            name.insert(0, (char) ('a' + (rest - 1) % LETTERS));
        }
        return new CopyId(name.toString());
    }

    /** As an annotation's value. */
    public String write() {
        try {
            return JSON.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("records of strings always serialise", e);
        }
    }

    /**
     * Reads an annotation's value.
     *
     * @throws IllegalArgumentException if somebody damaged it; it quotes the value's beginning
     */
    public static Memory read(String value) {
        try {
            return JSON.readValue(value, Memory.class);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "the operator's memory can not be read: " + value.substring(0, Math.min(80, value.length())), e);
        }
    }
}

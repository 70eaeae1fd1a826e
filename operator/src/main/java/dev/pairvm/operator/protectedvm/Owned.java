package dev.pairvm.operator.protectedvm;

import dev.pairvm.operator.desired.Digest;
import dev.pairvm.operator.desired.Labels;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Tells owned objects apart, and whether one is as it should be. */
public final class Owned {
    private Owned() {}

    /** {@code Role/pairvm-orders}. */
    public static String key(HasMetadata object) {
        return object.getKind() + "/" + object.getMetadata().getName();
    }

    /** The desired object with the digest of itself among its annotations. */
    public static <T extends HasMetadata> T stamped(T desired) {
        Map<String, String> annotations = desired.getMetadata().getAnnotations();
        Map<String, String> stamped = annotations == null ? new LinkedHashMap<>() : new LinkedHashMap<>(annotations);
        stamped.put(Labels.APPLIED, Digest.of(desired));
        desired.getMetadata().setAnnotations(stamped);
        return desired;
    }

    /** Whether the object that exists was applied from this very wish, and nobody changed what the wish says since. */
    public static boolean asDesired(HasMetadata stamped, @Nullable HasMetadata existing) {
        if (existing == null || existing.getMetadata().getAnnotations() == null) {
            return false;
        }
        String wished = stamped.getMetadata().getAnnotations().get(Labels.APPLIED);
        String applied = existing.getMetadata().getAnnotations().get(Labels.APPLIED);
        return wished != null && wished.equals(applied) && Digest.contains(existing, stamped);
    }
}

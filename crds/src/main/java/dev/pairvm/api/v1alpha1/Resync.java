package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.Quantity;
import java.math.BigDecimal;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/**
 * What bringing a copy up to date may cost the guest.
 *
 * @param foregroundLatency what the 99th percentile of the guest's disk latency may rise to, as a multiple of the usual one
 * @param maxRate most bytes compared and copied in a second; null for no limit
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "self.foregroundLatency >= 1.1 && self.foregroundLatency <= 100.0",
        message = "foregroundLatency must be between 1.1 and 100",
        fieldPath = ".foregroundLatency",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "!has(self.maxRate) || (quantity(string(self.maxRate)).compareTo(quantity('10Mi')) >= 0 && quantity(string(self.maxRate)).compareTo(quantity('1Ti')) <= 0)",
        message = "maxRate must be between 10Mi, for a resync must end some day, and 1Ti",
        fieldPath = ".maxRate",
        reason = "FieldValueInvalid")
public record Resync(
        @Default("1.5")
        @JsonPropertyDescription(
                "What the 99th percentile of the guest's disk latency may rise to while a copy is brought up to date, as a multiple of the usual one. A resync of 10 MB/s goes on in any case. For pods made from then on.")
        Double foregroundLatency,

        @JsonPropertyDescription(
                "Most bytes compared and copied in a second, e.g. 500Mi. Not set: as fast as the guest's latency allows. For pods made from then on.")
        @Nullable
        Quantity maxRate) {

    /** What the schema gives where nothing is said. */
    public static final Resync DEFAULT = new Resync(1.5, null);

    /** Fills in what the schema defaults. */
    public Resync {
        foregroundLatency = foregroundLatency == null ? Double.valueOf(1.5) : foregroundLatency;
    }

    /** {@link #foregroundLatency} in percent, rounded. */
    public int foregroundPercent() {
        return Math.toIntExact(Math.round(foregroundLatency * 100));
    }

    /**
     * {@link #maxRate} in bytes, or {@link Long#MAX_VALUE} if there is no limit.
     *
     * @throws ArithmeticException if it does not fit; the schema refuses such rates
     */
    public long maxBytesPerSecond() {
        Quantity limit = maxRate;
        return limit == null
                ? Long.MAX_VALUE
                : Quantity.getAmountInBytes(limit)
                        .setScale(0, RoundingMode.DOWN)
                        .max(BigDecimal.ONE)
                        .longValueExact();
    }
}

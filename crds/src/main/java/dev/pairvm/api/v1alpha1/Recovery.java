package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;

/**
 * How failures are noticed and answered.
 *
 * @param lease how long an active may serve without hearing from its peer, before it must have the arbiter's leave
 * @param grace how long a standby waits without hearing from the active before it takes over; at least 1.25 leases
 * @param slowPeer what to do with a standby whose acknowledgements take too long
 * @param replaceLostCopyAfter how long a copy may be away before a new one is made on another node
 * @param guestCrash what to do when the guest's kernel panics
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "duration(self.lease) >= duration('200ms') && duration(self.lease) <= duration('60s')",
        message = "lease must be between 200ms, which is four beacons, and 60s",
        fieldPath = ".lease",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "duration(self.grace) + duration(self.grace) + duration(self.grace) + duration(self.grace) >= duration(self.lease) + duration(self.lease) + duration(self.lease) + duration(self.lease) + duration(self.lease)",
        message = "grace must be at least 1.25 x lease: else two sides could be heard at once",
        fieldPath = ".grace",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "duration(self.grace) <= duration('300s')",
        message = "grace must be at most 300s",
        fieldPath = ".grace",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "duration(self.replaceLostCopyAfter) >= duration('1s') && duration(self.replaceLostCopyAfter) <= duration('720h')",
        message = "replaceLostCopyAfter must be between 1s and 720h",
        fieldPath = ".replaceLostCopyAfter",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "self.lease == oldSelf.lease",
        message = "lease can not change: both mirrors must go by the same",
        fieldPath = ".lease",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.grace == oldSelf.grace",
        message = "grace can not change: both mirrors must go by the same",
        fieldPath = ".grace",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.slowPeer == oldSelf.slowPeer",
        message = "slowPeer can not change",
        fieldPath = ".slowPeer",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.guestCrash == oldSelf.guestCrash",
        message = "guestCrash can not change",
        fieldPath = ".guestCrash",
        reason = "FieldValueForbidden")
public record Recovery(
        @KubernetesDuration.Text
        @Default("400ms")
        @JsonPropertyDescription("How long the active may serve without hearing from its peer. Can not change.")
        Duration lease,

        @KubernetesDuration.Text
        @Default("500ms")
        @JsonPropertyDescription(
                "How long the standby waits for a silent active before it takes over; at least 1.25 x lease. Can not change.")
        Duration grace,

        @Default("Degrade")
        @JsonPropertyDescription(
                "Degrade: go on without a standby that is too slow. Suspend: hold the guest's writes until it answers. Can not change.")
        SlowPeer slowPeer,

        @KubernetesDuration.Text
        @Default("10m")
        @JsonPropertyDescription("How long a copy may be lost before a new one is made on another node.")
        Duration replaceLostCopyAfter,

        @Default("Restart") @JsonPropertyDescription("What to do when the guest's kernel panics. Can not change.")
        GuestCrash guestCrash) {

    /** What the schema gives where nothing is said. */
    public static final Recovery DEFAULT = new Recovery(
            Duration.ofMillis(400),
            Duration.ofMillis(500),
            SlowPeer.Degrade,
            Duration.ofMinutes(10),
            GuestCrash.Restart);

    /** Fills in what the schema defaults. */
    public Recovery {
        lease = lease == null ? Duration.ofMillis(400) : lease;
        grace = grace == null ? Duration.ofMillis(500) : grace;
        slowPeer = slowPeer == null ? SlowPeer.Degrade : slowPeer;
        replaceLostCopyAfter = replaceLostCopyAfter == null ? Duration.ofMinutes(10) : replaceLostCopyAfter;
        guestCrash = guestCrash == null ? GuestCrash.Restart : guestCrash;
    }

    /** What to do with a standby that acknowledges too slowly. */
    public enum SlowPeer {
        /** Take it out of the in-sync set and go on alone. */
        Degrade,
        /** Hold the guest's writes. */
        Suspend
    }

    /** What to do when the guest's kernel panics. */
    public enum GuestCrash {
        /** Boot it again, here. */
        Restart,
        /** Leave it stopped, for somebody to look at. */
        Stop
    }
}

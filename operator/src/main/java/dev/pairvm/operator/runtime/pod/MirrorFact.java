package dev.pairvm.operator.runtime.pod;

import dev.pairvm.api.mirror.MirrorReport;
import java.time.Instant;
import java.util.Optional;

/** What is known of a mirror. No answer is not evidence of death. */
public sealed interface MirrorFact {
    /** It has no address yet, so it was not asked. */
    record NoAddress() implements MirrorFact {}

    /** It was asked and did not answer. */
    record Silent(String why, Instant since) implements MirrorFact {}

    /** What it said last; still in touch. */
    record Answered(MirrorReport report) implements MirrorFact {}

    /** The report, if it is in touch. */
    default Optional<MirrorReport> answer() {
        return this instanceof Answered answered ? Optional.of(answered.report()) : Optional.empty();
    }
}

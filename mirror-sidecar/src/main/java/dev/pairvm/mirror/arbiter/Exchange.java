package dev.pairvm.mirror.arbiter;

import org.jspecify.annotations.Nullable;

/** How one HTTP request ended, in the only distinction that matters to a compare-and-swap: may the server have seen it? */
sealed interface Exchange {
    /** A whole answer. */
    record Answer(int status, byte[] body) implements Exchange {
        /** "API server answered 403: leases … is forbidden". */
        String describe() {
            return "API server answered " + status
                    + LeaseDocument.statusMessage(body)
                            .map(message -> ": " + message)
                            .orElse("");
        }
    }

    /** The request certainly never left this host. */
    record NotSent(String why) implements Exchange {}

    /** It may have been received; no answer, or not a whole one. */
    record NoAnswer(String why) implements Exchange {}

    /** An answer that is too large to be ours. */
    record TooLarge(int status) implements Exchange {
        String describe() {
            return "API server answered " + status + " with more than " + LeaseDocument.MOST_BYTES + " bytes";
        }
    }

    /** A sentence, for a failure. */
    static String why(Throwable cause) {
        @Nullable String message = cause.getMessage();
        return message == null ? cause.getClass().getSimpleName() : LeaseDocument.shorten(message);
    }
}

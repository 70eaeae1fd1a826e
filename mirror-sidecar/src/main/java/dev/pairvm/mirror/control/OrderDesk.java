package dev.pairvm.mirror.control;

import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;

/** Who carries out orders: the engine. Called on the event loop; must not block. */
@FunctionalInterface
public interface OrderDesk {
    /** Takes an order, or says why not. Safe to be called again with the same order. */
    Outcome take(MirrorOrder order);

    /** What became of an order; each has its HTTP status. */
    sealed interface Outcome {
        /** 200: what it asks for is so already. */
        record Done() implements Outcome {}

        /** 202: begun; reports show its progress and end. */
        record Begun() implements Outcome {}

        /** 409: decided on an older epoch than this mirror knows; nothing was changed. */
        record Stale(Epoch own) implements Outcome {}

        /** 409: impossible now. {@code reason} is a sentence with the way out. */
        record Impossible(String reason) implements Outcome {}
    }
}

package dev.pairvm.mirror.control;

/** What the probes ask. Called on the event loop. */
public interface Health {
    /**
     * Whether restarting this process would help: {@link State.Bad} only then. A lost peer, a lost arbiter or a broken disk are
     * not.
     */
    State live();

    /** Whether this mirror has opened its copy and its sockets, so that QEMU may connect. */
    State ready();

    /** An answer with its reason. */
    sealed interface State {
        /** 200. */
        record Good() implements State {}

        /** 503 with this sentence. */
        record Bad(String why) implements State {}
    }
}

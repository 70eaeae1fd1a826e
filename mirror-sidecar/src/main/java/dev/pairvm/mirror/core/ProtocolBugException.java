package dev.pairvm.mirror.core;

/**
 * An assertion of the core failed: only a bug can do that. Stays on in production; the mirror must stop serving at once (the gate
 * closes by itself) and restart, because a restarted active reconciles before it serves.
 */
public final class ProtocolBugException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ProtocolBugException(String message) {
        super(message);
    }

    static void check(boolean holds, String rule, Object fact) {
        if (!holds) {
            throw new ProtocolBugException(rule + " [" + fact + "]");
        }
    }
}

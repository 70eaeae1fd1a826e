package dev.pairvm.mirror.guest;

import java.time.Duration;

/** Why a command of the monitor has no result. Each kind has another next step. */
public abstract sealed class QmpException extends Exception {
    private static final long serialVersionUID = 1;

    private QmpException(String message) {
        super(message);
    }

    /** QEMU answered that it will not or can not; nothing was changed. The connection is fine. */
    public static final class Refused extends QmpException {
        private static final long serialVersionUID = 1;
        private final String errorClass;

        Refused(String command, String errorClass, String description) {
            super("QEMU refused " + command + ": " + description);
            this.errorClass = errorClass;
        }

        /** QMP's error class: {@code GenericError}, {@code CommandNotFound}, {@code DeviceNotFound}, … */
        public String errorClass() {
            return errorClass;
        }
    }

    /**
     * No answer in time. It is unknown whether the command was, or will be, carried out. The connection stays: QEMU's main loop
     * may be waiting for something, and an out-of-band command may still get through.
     */
    public static final class Unanswered extends QmpException {
        private static final long serialVersionUID = 1;

        Unanswered(String command, Duration limit) {
            super("QEMU did not answer " + command + " within " + limit.toMillis() + " ms");
        }
    }

    /** The connection is gone, or what came through it is not QMP. Whether the command was carried out is unknown. */
    public static final class Lost extends QmpException {
        private static final long serialVersionUID = 1;

        Lost(String message) {
            super(message);
        }
    }
}

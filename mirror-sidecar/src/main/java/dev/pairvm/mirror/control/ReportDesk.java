package dev.pairvm.mirror.control;

import dev.pairvm.api.mirror.MirrorReport;

/** Who makes reports: the engine. Called on the event loop. */
@FunctionalInterface
public interface ReportDesk {
    /** The report of this moment. */
    MirrorReport report();
}

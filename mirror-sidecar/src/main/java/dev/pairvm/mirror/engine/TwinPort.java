package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.CoreView;
import java.util.Optional;

/** What the engine does for level 3. On the event loop. */
interface TwinPort {
    /** The guest of this side is to get a twin on {@code to}; posts {@code TwinRuns} or {@code TwinEnded}. */
    void begin(CopyId to);

    /** Its packets go freely from here, and the twin, or the attempt, ends. */
    void end();

    /** A beacon of the peer was heard. */
    void peerHeard();

    /** The active is gone: nothing of its writes is waited for any more. */
    void cut();

    /** How far it is, for the report; absent where this pod can not have it. */
    Optional<MirrorReport.Twin> report(CoreView view);
}

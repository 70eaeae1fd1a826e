package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** What the engine needs of the link to the peer. On the event loop. */
interface PeerPort {
    /** Sends a frame; {@code payload} is retained as long as needed, the caller keeps its own reference. */
    void send(CopyId peer, Message message, @Nullable ByteBuf payload);

    /** Whether frames that were sent leave only with a task that waits on the loop already. */
    boolean holdsFrames();

    /** Closes the link; it reports the end and dials again by itself. */
    void drop(CopyId peer, String why);

    /** Beacons of this session flow from now; whether they grant takes effect at once. */
    void setBeacons(CopyId peer, long session, boolean granting);

    /** Beacons grant nothing from now; answers with the receive time of the last granted one, 0 if none. */
    void stopGranting(LongConsumer lastHeardAt);

    /** No beacons. */
    void stopBeacons();
}

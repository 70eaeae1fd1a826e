package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Keeps what a decoder gave. */
final class FrameSink implements FrameDecoder.Sink {
    final List<Message> messages = new ArrayList<>();
    final List<byte[]> payloads = new ArrayList<>();
    final List<LinkFrame> linkFrames = new ArrayList<>();
    final List<String> malformed = new ArrayList<>();
    boolean greeted = true;

    @Override
    public void message(Message message, @Nullable ByteBuf payload) {
        messages.add(message);
        payloads.add(taken(payload));
    }

    @Override
    public void linkFrame(LinkFrame frame, @Nullable ByteBuf payload) {
        linkFrames.add(frame);
        taken(payload);
    }

    private static byte[] taken(@Nullable ByteBuf payload) {
        if (payload == null) {
            return new byte[0];
        }
        try {
            return ByteBufUtil.getBytes(payload);
        } finally {
            payload.release();
        }
    }

    @Override
    public void malformed(MalformedFrameException what) {
        malformed.add(String.valueOf(what.getMessage()));
    }

    @Override
    public void arrived(int bytes) {}

    @Override
    public long agreedFeatures() {
        return LinkFrame.FEATURES;
    }

    @Override
    public boolean isGreeted() {
        return greeted;
    }
}

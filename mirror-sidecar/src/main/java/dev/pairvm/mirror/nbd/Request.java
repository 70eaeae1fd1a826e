package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/** One request under way, and the answer that its backend gives. Reused when it is over. */
final class Request implements NbdExtentsReply {
    /** Most descriptors in one block status reply: 16 KiB; the client asks on from where they end. */
    static final int MAX_EXTENTS = 2048;

    private final Transmission transmission;
    private int command;
    private int flags;
    private long cookie;
    private long offset;
    private long length;
    private @Nullable ByteBuf buffer;
    private boolean open;
    private long described;
    private int lastState;
    private int extents;

    Request(Transmission transmission) {
        this.transmission = transmission;
    }

    void begin(int command, int flags, long cookie, long offset, long length) {
        this.command = command;
        this.flags = flags;
        this.cookie = cookie;
        this.offset = offset;
        this.length = length;
        this.open = true;
        this.described = 0;
        this.extents = 0;
    }

    int command() {
        return command;
    }

    boolean has(int flag) {
        return (flags & flag) != 0;
    }

    long cookie() {
        return cookie;
    }

    long offset() {
        return offset;
    }

    long length() {
        return length;
    }

    /** Gives the request its payload or target. */
    void buffer(ByteBuf payloadOrTarget) {
        this.buffer = payloadOrTarget;
    }

    ByteBuf buffer() {
        ByteBuf current = buffer;
        if (current == null) {
            throw new IllegalStateException("request without a buffer");
        }
        return current;
    }

    /** The buffer, whose reference is then the caller's. */
    ByteBuf takeBuffer() {
        ByteBuf current = buffer();
        buffer = null;
        return current;
    }

    void releaseBuffer() {
        ByteBuf current = buffer;
        buffer = null;
        if (current != null) {
            current.release();
        }
    }

    @Override
    public boolean extent(long extentLength, boolean hole, boolean zero) {
        if (!open || command != Wire.CMD_BLOCK_STATUS) {
            throw new IllegalStateException("an extent for a request that did not ask for any, or is over");
        }
        if (extentLength <= 0) {
            throw new IllegalArgumentException("extent of " + extentLength + " bytes");
        }
        int state = (hole ? Wire.STATE_HOLE : 0) | (zero ? Wire.STATE_ZERO : 0);
        long cut = Math.min(extentLength, length - described);
        int most = has(Wire.CMD_FLAG_REQ_ONE) ? 1 : MAX_EXTENTS;
        boolean joins = extents > 0 && state == lastState;
        if (cut == 0 || !joins && extents == most) {
            return false;
        }
        ByteBuf list = buffer;
        if (list == null) {
            list = transmission.extentsBuffer();
            buffer = list;
        }
        if (joins) {
            int at = list.writerIndex() - 8;
            list.setInt(at, (int) (list.getUnsignedInt(at) + cut));
        } else {
            list.writeInt((int) cut).writeInt(state);
            extents++;
            lastState = state;
        }
        described += cut;
        return described < length;
    }

    /** The descriptors; where the backend gave none, one that says nothing of the whole range. */
    ByteBuf finishExtents(ByteBufAllocator allocator) {
        if (extents == 0) {
            releaseBuffer();
            return allocator.directBuffer(8).writeInt((int) length).writeInt(0);
        }
        return takeBuffer();
    }

    @Override
    public void done() {
        end(null);
    }

    @Override
    public void failed(NbdError error) {
        end(error);
    }

    @Override
    public ByteBuf replaceTarget() {
        if (!open || command != Wire.CMD_READ) {
            throw new IllegalStateException("only a read that is not answered has a target");
        }
        ByteBuf old = buffer();
        ByteBuf anew = transmission.readTarget((int) length);
        buffer = anew;
        old.release();
        return anew;
    }

    @Override
    public void abandon() {
        close();
        transmission.abandoned(this);
    }

    private void end(@Nullable NbdError error) {
        close();
        transmission.ended(this, error);
    }

    private void close() {
        if (!open) {
            throw new IllegalStateException("a request was answered twice");
        }
        open = false;
    }
}

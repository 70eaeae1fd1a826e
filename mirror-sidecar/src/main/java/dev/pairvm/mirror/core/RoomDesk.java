package dev.pairvm.mirror.core;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Makes room at the end of a disk, one disk at a time. Nothing counts there, so whoever asked may be gone when it is done. */
final class RoomDesk {
    private final Outbox out;
    private final DiskSizes sizes;
    private @Nullable Consumer<String> then;
    private long token;

    RoomDesk(Outbox out, DiskSizes sizes) {
        this.out = out;
        this.sizes = sizes;
    }

    boolean busy() {
        return then != null;
    }

    /** Only while not busy. {@code next} hears an empty sentence when there is room, else why not. */
    void make(int disk, long bytes, Consumer<String> next) {
        ProtocolBugException.check(then == null, "room is made for one disk at a time", disk);
        then = next;
        token = out.token();
        out.emit(new Effect.MakeRoom(token, disk, sizes.of(disk), bytes));
    }

    void made(Event.RoomMade event) {
        end(event.token(), "");
    }

    void none(Event.NoRoom event) {
        end(event.token(), event.why().isEmpty() ? "the volume can not hold it" : event.why());
    }

    private void end(long answered, String why) {
        Consumer<String> next = then;
        if (next != null && answered == token) {
            then = null;
            next.accept(why);
        }
    }
}

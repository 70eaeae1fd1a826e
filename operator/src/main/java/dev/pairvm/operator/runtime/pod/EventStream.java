package dev.pairvm.operator.runtime.pod;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads server-sent events (HTML Living Standard, section 9.2) as far as mirrors send them: {@code data:} lines, an empty line ends an
 * event, comments and other fields are passed over.
 */
final class EventStream implements HttpResponse.BodySubscriber<Void> {
    private static final byte[] DATA = "data:".getBytes(StandardCharsets.US_ASCII);

    private final int limitBytes;
    private final Consumer<byte[]> listener;
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private final ByteArrayOutputStream event = new ByteArrayOutputStream();
    private Flow.@Nullable Subscription subscription;

    /** {@code limitBytes} bounds a line and an event. */
    EventStream(int limitBytes, Consumer<byte[]> listener) {
        this.limitBytes = limitBytes;
        this.listener = listener;
    }

    @Override
    public CompletionStage<Void> getBody() {
        return end;
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
        subscription = given;
        given.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        try {
            for (ByteBuffer buffer : buffers) {
                while (buffer.hasRemaining()) {
                    accept(buffer.get());
                }
            }
        } catch (IOException | RuntimeException e) {
            if (subscription != null) {
                subscription.cancel();
            }
            end.completeExceptionally(e);
        }
    }

    private void accept(byte next) throws IOException {
        if (next == '\r') {
            return;
        }
        if (next != '\n') {
            line.write(next);
            bound(line);
            return;
        }
        byte[] complete = line.toByteArray();
        line.reset();
        if (complete.length == 0) {
            if (event.size() > 0) {
                byte[] data = event.toByteArray();
                event.reset();
                listener.accept(data);
            }
        } else if (startsWithData(complete)) {
            event.write(complete, DATA.length, complete.length - DATA.length);
            event.write('\n');
            bound(event);
        }
    }

    private void bound(ByteArrayOutputStream buffer) throws IOException {
        if (buffer.size() > limitBytes) {
            throw new IOException("an event of more than " + limitBytes + " bytes");
        }
    }

    private static boolean startsWithData(byte[] text) {
        if (text.length < DATA.length) {
            return false;
        }
        for (int i = 0; i < DATA.length; i++) {
            if (text[i] != DATA[i]) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void onError(Throwable failure) {
        end.completeExceptionally(failure);
    }

    @Override
    public void onComplete() {
        end.complete(null);
    }
}

package dev.pairvm.mirror.control;

import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One {@code POST /v1/orders}, from its first byte to its answer. */
final class OrderIntake {
    private static final Logger LOG = LoggerFactory.getLogger(OrderIntake.class);

    private final HttpServerRequest request;
    private final OrderDesk desk;
    private final Buffer body = Buffer.buffer();
    private boolean refused;

    OrderIntake(HttpServerRequest request, OrderDesk desk) {
        this.request = request;
        this.desk = desk;
    }

    void begin() {
        request.handler(this::take);
        request.endHandler(v -> end());
    }

    private void take(Buffer chunk) {
        if (refused) {
            return;
        }
        if (body.length() + chunk.length() > ControlJson.MOST_ORDER_BYTES) {
            refused = true;
            request.response().putHeader("Connection", "close"); // the rest is not read
            ControlServer.refuse(request, 413, "an order has at most " + ControlJson.MOST_ORDER_BYTES + " bytes");
        } else {
            body.appendBuffer(chunk);
        }
    }

    private void end() {
        if (refused) {
            return;
        }
        MirrorOrder order;
        try {
            order = ControlJson.order(body.getBytes());
        } catch (ControlJson.MalformedOrderException e) {
            ControlServer.refuse(request, 400, String.valueOf(e.getMessage()));
            return;
        }
        OrderDesk.Outcome outcome = desk.take(order);
        LOG.info("order {} taken: {}", order, outcome);
        switch (outcome) {
            case OrderDesk.Outcome.Done() -> ControlServer.reply(request, 200, ControlJson.facts("outcome", "Done"));
            case OrderDesk.Outcome.Begun() -> ControlServer.reply(request, 202, ControlJson.facts("outcome", "Begun"));
            case OrderDesk.Outcome.Stale(Epoch own) ->
                ControlServer.reply(
                        request,
                        409,
                        ControlJson.facts(
                                "outcome",
                                "Stale",
                                "epoch",
                                own.value(),
                                "error",
                                "the order was decided on epoch " + order.epoch() + ", this mirror knows " + own));
            case OrderDesk.Outcome.Impossible(String reason) ->
                ControlServer.reply(request, 409, ControlJson.facts("outcome", "Impossible", "error", reason));
        }
    }
}

package dev.pairvm.e2e.hostile;

import java.util.ArrayList;
import java.util.List;

/**
 * An order that nobody may carry out.
 *
 * @param fault what is wrong
 * @param json the body
 * @param status the only right status
 * @param answer a part of the only right answer
 */
public record BadOrder(String fault, String json, int status, String answer) {
    private static final int DEEP = 5_000;
    private static final int TOO_LARGE = 17 << 10;

    @Override
    public String toString() {
        return fault;
    }

    /** Decided on an epoch that is over; each would hurt if it were carried out. */
    public static List<BadOrder> stale(long staleEpoch, long epoch, String peer) {
        String answer = "the order was decided on epoch " + staleEpoch + ", this mirror knows " + epoch;
        return List.of(
                new BadOrder("stale switchover", switchover(staleEpoch, peer), 409, answer),
                new BadOrder("stale leave", leave(staleEpoch, peer), 409, answer),
                new BadOrder("stale power-off", powerOff(staleEpoch), 409, answer));
    }

    /** Understood, and impossible. */
    public static List<BadOrder> impossible(long epoch, String active) {
        return List.of(
                new BadOrder(
                        "switchover to a copy that does not exist",
                        switchover(epoch, "zzz"),
                        409,
                        "copy zzz is not in sync"),
                new BadOrder(
                        "the active is to leave", leave(epoch, active), 409, "the active's own copy can not leave"));
    }

    /** For this epoch, which would do, but malformed. */
    public static List<BadOrder> malformed(long epoch, String peer) {
        List<BadOrder> orders = new ArrayList<>();
        malformed(orders, "nothing", "", "order can not be read");
        malformed(orders, "no JSON", "switchover please", "order can not be read");
        malformed(orders, "null", "null", "order is null");
        malformed(orders, "a list", "[" + leave(epoch, peer) + "]", "order");
        malformed(
                orders,
                "no type",
                "{\"epoch\":" + epoch + ",\"copy\":\"" + peer + "\"}",
                "order has no field \\\"type\\\"");
        malformed(
                orders,
                "a type that does not exist",
                "{\"type\":\"Format\",\"epoch\":" + epoch + "}",
                "order type \\\"Format\\\" is not known to this mirror");
        malformed(
                orders,
                "a field that does not exist",
                leave(epoch, peer).replace("}", ",\"force\":true}"),
                "order has a field \\\"force\\\" that this mirror does not know");
        malformed(orders, "no epoch", "{\"type\":\"Leave\",\"copy\":\"" + peer + "\"}", "epoch");
        malformed(orders, "a null epoch", "{\"type\":\"Leave\",\"epoch\":null,\"copy\":\"" + peer + "\"}", "epoch");
        malformed(orders, "a negative epoch", leave(-1, peer), "epoch must not be negative");
        malformed(
                orders,
                "a copy that is a path",
                leave(epoch, "../a"),
                "copy name must be one to three lower-case letters");
        malformed(
                orders,
                "the same field twice",
                leave(epoch, peer).replace("}", ",\"copy\":\"" + peer + "\"}"),
                "order can not be read");
        malformed(orders, "two orders", leave(epoch, peer) + leave(epoch, peer), "order can not be read");
        malformed(orders, "a very deep one", "[".repeat(DEEP), "order can not be read");
        malformed(
                orders,
                "a power state in words",
                powerOff(epoch).replace("false", "\"please\""),
                "order can not be read");
        orders.add(new BadOrder(
                "a very long one",
                leave(epoch, peer).replace("}", " ".repeat(TOO_LARGE) + "}"),
                413,
                "an order has at most 16384 bytes"));
        return orders;
    }

    private static void malformed(List<BadOrder> orders, String fault, String json, String answer) {
        orders.add(new BadOrder(fault, json, 400, answer));
    }

    private static String switchover(long epoch, String to) {
        return "{\"type\":\"Switchover\",\"epoch\":" + epoch + ",\"to\":\"" + to + "\"}";
    }

    private static String leave(long epoch, String copy) {
        return "{\"type\":\"Leave\",\"epoch\":" + epoch + ",\"copy\":\"" + copy + "\"}";
    }

    private static String powerOff(long epoch) {
        return "{\"type\":\"SetRunning\",\"epoch\":" + epoch + ",\"running\":false,\"graceSeconds\":0}";
    }

    /** A power-off, well-formed: what a stranger would like to send. */
    public static String tempting(long epoch) {
        return powerOff(epoch);
    }
}

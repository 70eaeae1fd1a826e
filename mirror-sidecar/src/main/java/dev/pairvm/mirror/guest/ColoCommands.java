package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What a twinning says to QEMU, and the names of what it makes there. Pure. See QEMU's {@code docs/system/qemu-colo} and its
 * QMP reference; the order of the commands is {@link ColoActive}'s and {@link ColoStandby}'s.
 *
 * <p>Every filter has {@code vnet_hdr_support}: the cards carry virtio-net headers at every level, so that a guest has its checksum
 * and segmentation offloads, and so that level 3 can be switched on without another card.
 */
final class ColoCommands {
    /** Bytes a second; the link is the limit, not QEMU. */
    private static final long BANDWIDTH = 10L << 30;

    private ColoCommands() {}

    // ------------------------------------------------------------------------------------------------- both sides

    /**
     * A panicked guest must not be paused while checkpoints run: QEMU has no way from there into a checkpoint and aborts, on both
     * sides. Afterwards it must be again.
     */
    static QmpCommand pauseAtPanic(boolean pause) {
        return QmpCommand.of("set-action").with("panic", pause ? "pause" : "none");
    }

    /** @param pauseBeforeSwitchover on the active only */
    static QmpCommand capabilities(boolean colo, boolean pauseBeforeSwitchover) {
        QmpCommand command = QmpCommand.of("migrate-set-capabilities");
        ArrayNode all = command.arguments().putArray("capabilities");
        capability(all, "events", true);
        capability(all, "return-path", true);
        capability(all, "x-colo", colo);
        capability(all, "pause-before-switchover", pauseBeforeSwitchover);
        // Left on, it would slow the guest down until its memory can be moved.
        capability(all, "auto-converge", false);
        return command;
    }

    private static void capability(ArrayNode all, String name, boolean state) {
        all.addObject().put("capability", name).put("state", state);
    }

    private static QmpCommand socket(String id, Path path, boolean server) {
        QmpCommand command = QmpCommand.of("chardev-add").with("id", id);
        ObjectNode backend = command.arguments().putObject("backend").put("type", "socket");
        ObjectNode data = backend.putObject("data").put("server", server);
        if (server) {
            data.put("wait", false);
        }
        data.putObject("addr").put("type", "unix").putObject("data").put("path", path.toString());
        return command;
    }

    private static QmpCommand filter(String type, String id, int card, String queue) {
        return QmpCommand.of("object-add")
                .with("qom-type", type)
                .with("id", id)
                .with("netdev", "net" + card)
                .with("queue", queue)
                .with("vnet_hdr_support", true);
    }

    static QmpCommand removeObject(String id) {
        return QmpCommand.of("object-del").with("id", id);
    }

    private static QmpCommand removeSocket(String id) {
        return QmpCommand.of("chardev-remove").with("id", id);
    }

    static QmpCommand yank(String type, String id) {
        QmpCommand command = QmpCommand.of("yank");
        ObjectNode instance = command.arguments().putArray("instances").addObject();
        instance.put("type", type);
        if (!id.isEmpty()) {
            instance.put("id", id);
        }
        return command;
    }

    static QmpCommand lostHeartbeat() {
        return QmpCommand.of("x-colo-lost-heartbeat");
    }

    static QmpCommand announce() {
        return QmpCommand.of("announce-self")
                .with("initial", 50)
                .with("max", 550)
                .with("rounds", 5)
                .with("step", 50);
    }

    // -------------------------------------------------------------------------------------------------- the active

    /** Sockets and comparison, filters switched off: may be made while the guest runs unpaired. */
    static List<QmpCommand> activeParts(TwinSockets sockets, List<Boolean> rewriters, Duration compareTimeout) {
        List<QmpCommand> all = new ArrayList<>();
        for (int i = 0; i < sockets.cards(); i++) {
            all.add(socket("copied" + i, sockets.copied(i), true));
            all.add(socket("answers" + i, sockets.answers(i), true));
            all.add(socket("own" + i, sockets.own(i), true));
            all.add(socket("ownin" + i, sockets.own(i), false));
            all.add(socket("out" + i, sockets.out(i), true));
            all.add(socket("outin" + i, sockets.out(i), false));
            boolean rewriter = rewriters.get(i);
            all.add(behind(rewriter, i, filter("filter-mirror", "copy" + i, i, "tx"))
                    .with("outdev", "copied" + i));
            all.add(behind(rewriter, i, filter("filter-redirector", "release" + i, i, "rx"))
                    .with("indev", "out" + i));
            all.add(behind(rewriter, i, filter("filter-redirector", "divert" + i, i, "rx"))
                    .with("outdev", "own" + i));
            all.add(QmpCommand.of("object-add").with("qom-type", "iothread").with("id", "comparing" + i));
            all.add(QmpCommand.of("object-add")
                    .with("qom-type", "colo-compare")
                    .with("id", "compare" + i)
                    .with("primary_in", "ownin" + i)
                    .with("secondary_in", "answers" + i)
                    .with("outdev", "outin" + i)
                    .with("iothread", "comparing" + i)
                    .with("compare_timeout", compareTimeout.toMillis())
                    .with("expired_scan_cycle", Math.max(1, compareTimeout.toMillis() / 2))
                    .with("vnet_hdr_support", true));
        }
        return all;
    }

    /** An active that was a twin before still translates the sequence numbers of connections from then: outside of the comparison. */
    private static QmpCommand behind(boolean rewriter, int card, QmpCommand filter) {
        filter.with("status", "off");
        return rewriter ? filter.with("insert", "before").with("position", "id=" + rewriter(card)) : filter;
    }

    static String rewriter(int card) {
        return "rewrite" + card;
    }

    static List<QmpCommand> activeFilters(TwinSockets sockets, boolean on) {
        List<QmpCommand> all = new ArrayList<>();
        for (int i = 0; i < sockets.cards(); i++) {
            // Off: what the guest sends goes straight out before its copies stop. On: the reverse.
            List<String> order =
                    on ? List.of("copy" + i, "release" + i, "divert" + i) : List.of("divert" + i, "copy" + i);
            for (String each : order) {
                all.add(filterStatus(each, on));
            }
        }
        return all;
    }

    /**
     * The comparison first: what it still holds it gives to {@code release}, which goes last, some turns of QEMU's main loop later,
     * so that these frames are out by then.
     */
    static List<QmpCommand> removeActiveParts(TwinSockets sockets) {
        List<QmpCommand> all = new ArrayList<>();
        for (String each : List.of("compare", "divert", "copy", "release", "comparing")) {
            for (int i = 0; i < sockets.cards(); i++) {
                all.add(removeObject(each + i));
            }
        }
        for (int i = 0; i < sockets.cards(); i++) {
            for (String each : List.of("outin", "out", "ownin", "own", "answers", "copied")) {
                all.add(removeSocket(each + i));
            }
        }
        return all;
    }

    static QmpCommand checkpointDelay(Duration interval) {
        return QmpCommand.of("migrate-set-parameters").with("x-checkpoint-delay", interval.toMillis());
    }

    static QmpCommand downtime(Duration limit) {
        return QmpCommand.of("migrate-set-parameters").with("downtime-limit", limit.toMillis());
    }

    static QmpCommand unlimitedBandwidth() {
        return QmpCommand.of("migrate-set-parameters").with("max-bandwidth", BANDWIDTH);
    }

    static QmpCommand move(TwinSockets sockets) {
        return QmpCommand.of("migrate").with("uri", "unix:" + sockets.ram());
    }

    static QmpCommand goOnFromSwitch() {
        return QmpCommand.of("migrate-continue").with("state", "pre-switchover");
    }

    /** Without a card's comparison in the way: each in its own command, for one unknown instance refuses all. */
    static List<QmpCommand> cutActive(TwinSockets sockets) {
        List<QmpCommand> all = new ArrayList<>(List.of(yank("migration", "")));
        for (int i = 0; i < sockets.cards(); i++) {
            all.add(yank("chardev", "copied" + i));
            all.add(yank("chardev", "answers" + i));
        }
        return all;
    }

    // ------------------------------------------------------------------------------------------------- the standby

    static List<QmpCommand> standbyParts(TwinSockets sockets) {
        List<QmpCommand> all = new ArrayList<>();
        for (int i = 0; i < sockets.cards(); i++) {
            all.add(socket("copied" + i, sockets.copied(i), false));
            all.add(socket("answers" + i, sockets.answers(i), false));
            all.add(filter("filter-redirector", "feed" + i, i, "tx").with("indev", "copied" + i));
            all.add(filter("filter-redirector", "answer" + i, i, "rx").with("outdev", "answers" + i));
            all.add(filter("filter-rewriter", rewriter(i), i, "all"));
        }
        return all;
    }

    /** What the guest here sends goes to the network itself, and no more to the active's comparison. */
    static List<QmpCommand> ownVoice(TwinSockets sockets) {
        List<QmpCommand> all = new ArrayList<>();
        for (int i = 0; i < sockets.cards(); i++) {
            all.add(filterStatus("answer" + i, false));
        }
        return all;
    }

    private static QmpCommand filterStatus(String filter, boolean on) {
        return QmpCommand.of("qom-set")
                .with("path", "/objects/" + filter)
                .with("property", "status")
                .with("value", on ? "on" : "off");
    }

    /** All but the rewriter: connections that began under its eyes need it as long as they live. */
    static List<QmpCommand> removeStandbyParts(TwinSockets sockets) {
        List<QmpCommand> all = new ArrayList<>();
        for (int i = 0; i < sockets.cards(); i++) {
            all.add(removeObject("answer" + i));
            all.add(removeObject("feed" + i));
            all.add(removeSocket("answers" + i));
            all.add(removeSocket("copied" + i));
        }
        return all;
    }

    static QmpCommand serveDisks(TwinSockets sockets) {
        QmpCommand command = QmpCommand.of("nbd-server-start");
        command.arguments()
                .putObject("addr")
                .put("type", "unix")
                .putObject("data")
                .put("path", sockets.disk().toString());
        return command;
    }

    static QmpCommand stopServingDisks() {
        return QmpCommand.of("nbd-server-stop");
    }

    /** The replication node wants its base to have a user of its own: this export is it. */
    static QmpCommand serveDisk(int index, String name) {
        return QmpCommand.of("block-export-add")
                .with("type", "nbd")
                .with("id", "twin" + index)
                .with("node-name", OverlayNodes.base(index))
                .with("name", name)
                .with("writable", true);
    }

    static QmpCommand listen(TwinSockets sockets) {
        return QmpCommand.of("migrate-incoming").with("uri", "unix:" + sockets.ram());
    }

    static List<QmpCommand> cutStandby(TwinSockets sockets) {
        List<QmpCommand> all = new ArrayList<>(List.of(yank("migration", "")));
        for (int i = 0; i < sockets.cards(); i++) {
            all.add(yank("chardev", "answers" + i));
        }
        return all;
    }

    static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }
}

package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * What of QEMU the two sides of level 3 see: commands with answers and events, a migration's and a guest's status, objects and
 * sockets by their names. Behaves as QEMU 11.1 did, until it is told to misbehave.
 */
final class FakeQemu implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** What it does instead of carrying a command out. */
    enum Fault {
        /** Answers that it will not. */
        REFUSE,
        /** Neither does it nor answers; the next command is answered. */
        IGNORE,
        /** Its main loop hangs, until it is yanked off its peer. */
        HANG,
        /** Its main loop hangs for good. */
        HANG_FOR_EVER,
        /** Ends. */
        DIE,
        /** Does it, and dies before it can answer. */
        DIE_AFTER,
        /** Does it, and says all that comes of it before it answers. */
        EVENTS_FIRST,
        /** Answers, and nothing comes of it. */
        ANSWER_ONLY
    }

    final List<String> commands = new CopyOnWriteArrayList<>();
    final List<String> outOfBand = new CopyOnWriteArrayList<>();
    final Set<String> parts = new LinkedHashSet<>();
    private final FakeMonitor monitor;
    private final Thread thread;
    private final List<String> events = new ArrayList<>();
    private final List<String> hanging = new ArrayList<>();
    private int faultyCommand = -1;
    private @Nullable Fault fault;
    private boolean hangs;
    private volatile boolean dead;
    private int commits = 2;

    volatile String migration = "none";
    volatile String status = "running";
    volatile String mode = "none";
    volatile boolean colo;
    volatile boolean pausesAtPanic = true;
    volatile boolean filtersOn;
    volatile boolean commitFails;

    FakeQemu(Path socket) throws IOException {
        monitor = new FakeMonitor(socket);
        thread = Thread.ofVirtual().unstarted(this::serve);
    }

    /** Fails at this in-band command, counted from 0. */
    void misbehave(int command, Fault how) {
        faultyCommand = command;
        fault = how;
    }

    void start() {
        thread.start();
    }

    private void serve() {
        try {
            monitor.greet();
            while (!dead) {
                String line = monitor.hear();
                if (line.equals("closed")) {
                    return;
                }
                handle(JSON.readTree(line));
            }
        } catch (Exception | AssertionError closed) {
            dead = true;
        }
    }

    private synchronized void handle(JsonNode message) throws IOException {
        if (message.has("exec-oob")) {
            outOfBand.add(message.path("exec-oob").asText());
            if (fault != Fault.HANG_FOR_EVER) {
                hangs = false;
            }
            answer(message, "{}");
            for (String held : List.copyOf(hanging)) {
                if (!hangs) {
                    hanging.remove(held);
                    inBand(JSON.readTree(held));
                }
            }
            return;
        }
        if (hangs) {
            hanging.add(message.toString());
            return;
        }
        inBand(message);
    }

    private void inBand(JsonNode message) throws IOException {
        boolean faulty = commands.size() == faultyCommand;
        String name = message.path("execute").asText();
        commands.add(name);
        Fault how = faulty ? fault : null;
        switch (how) {
            case null -> {
                answer(message, carryOut(name, message.path("arguments")));
                sayEvents();
            }
            case EVENTS_FIRST -> {
                String result = carryOut(name, message.path("arguments"));
                sayEvents();
                answer(message, result);
            }
            case ANSWER_ONLY -> answer(message, "{}");
            case REFUSE ->
                monitor.say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": " + message.path("id")
                        + "}\n");
            case IGNORE -> {}
            case HANG, HANG_FOR_EVER -> {
                hangs = true;
                hanging.add(message.toString());
            }
            case DIE -> die();
            case DIE_AFTER -> {
                carryOut(name, message.path("arguments"));
                sayEvents();
                die();
            }
        }
    }

    private void answer(JsonNode message, String result) throws IOException {
        monitor.say("{\"return\": " + result + ", \"id\": " + message.path("id") + "}\n");
    }

    private void sayEvents() throws IOException {
        for (String each : events) {
            monitor.say(each);
        }
        events.clear();
    }

    private void event(String name, String data) {
        events.add("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 0}, \"event\": \"" + name + "\", \"data\": "
                + data + "}\n");
    }

    private void migration(String next) {
        migration = next;
        event("MIGRATION", "{\"status\": \"" + next + "\"}");
    }

    /** Something happens by itself. */
    synchronized void happens(String name, String data) throws IOException {
        event(name, data);
        sayEvents();
    }

    /** The stream from the active brings everything, and the first checkpoint follows. */
    synchronized void stateArrives() throws IOException {
        migration("active");
        migration("colo");
        mode = "secondary";
        status = "running";
        event("RESUME", "{}");
        checkpoint();
        sayEvents();
    }

    private void checkpoint() {
        event("STOP", "{}");
        event("RESUME", "{}");
    }

    void die() throws IOException {
        dead = true;
        monitor.hangUp();
    }

    private String carryOut(String name, JsonNode arguments) {
        switch (name) {
            case "object-add", "chardev-add" -> parts.add(arguments.path("id").asText());
            case "object-del", "chardev-remove" ->
                parts.remove(arguments.path("id").asText());
            case "qom-set" -> filtersOn = arguments.path("value").asText().equals("on");
            case "set-action" ->
                pausesAtPanic = arguments.path("panic").asText().equals("pause");
            case "migrate-set-capabilities" -> {
                for (JsonNode each : arguments.path("capabilities")) {
                    if (each.path("capability").asText().equals("x-colo")) {
                        colo = each.path("state").asBoolean();
                    }
                }
            }
            case "migrate" -> {
                migration("setup");
                migration("active");
            }
            case "stop" -> {
                status = "paused";
                event("STOP", "{}");
            }
            case "migrate-set-parameters" -> {
                if (arguments.path("downtime-limit").asLong() > 0 && migration.equals("active")) {
                    status = "finish-migrate";
                    migration("pre-switchover");
                }
                if (arguments.has("x-checkpoint-delay") && mode.equals("primary")) {
                    checkpoint();
                }
            }
            case "migrate-continue" -> {
                migration("device");
                migration("colo");
                mode = "primary";
                status = "running";
                event("RESUME", "{}");
                checkpoint();
            }
            case "migrate_cancel" -> {
                if (!migration.equals("colo") && !migration.equals("none")) {
                    migration("cancelling");
                    migration("cancelled");
                    status = status.equals("running") ? status : "paused";
                }
            }
            case "cont" -> {
                status = "running";
                event("RESUME", "{}");
            }
            case "x-colo-lost-heartbeat" -> {
                if (!mode.equals("none")) {
                    String was = mode;
                    mode = "none";
                    migration("completed");
                    event("COLO_EXIT", "{\"mode\": \"" + was + "\", \"reason\": \"request\"}");
                    status = "running";
                    event("RESUME", "{}");
                }
            }
            case "blockdev-create" ->
                event("JOB_STATUS_CHANGE", "{\"id\": " + arguments.path("job-id") + ", \"status\": \"concluded\"}");
            default -> {}
        }
        return switch (name) {
            case "qom-list", "query-jobs" -> "[]";
            case "query-migrate" ->
                "{\"status\": \"" + migration
                        + "\", \"ram\": {\"remaining\": 0, \"dirty-sync-count\": 3, \"mbps\": 1}}";
            case "query-status" -> "{\"status\": \"" + status + "\", \"running\": " + status.equals("running") + "}";
            case "query-colo-status" -> "{\"mode\": \"" + mode + "\", \"reason\": \"none\"}";
            case "x-debug-query-block-graph" -> graph();
            default -> "{}";
        };
    }

    private String graph() {
        boolean done = --commits <= 0;
        String job = done ? "" : ", {\"id\": 4, \"name\": \"\", \"type\": \"block-job\"}";
        String below = done && !commitFails ? "2" : "3";
        return "{\"nodes\": [{\"id\": 1, \"name\": \"disk0\", \"type\": \"block-driver\"}, {\"id\": 2, \"name\": \"base0\","
                + " \"type\": \"block-driver\"}, {\"id\": 3, \"name\": \"active0\", \"type\": \"block-driver\"}" + job
                + "], \"edges\": [{\"parent\": 1, \"child\": " + below + ", \"name\": \"file\"}]}";
    }

    @Override
    public void close() throws IOException {
        dead = true;
        monitor.close();
        thread.interrupt();
    }
}

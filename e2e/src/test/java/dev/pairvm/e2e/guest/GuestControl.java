package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.time.Duration;

/** One-line commands to the test guest: {@code uptime}, {@code reboot}, {@code panic}, {@code poweroff}, … */
public final class GuestControl {
    /** Port of the control service in the test guest. */
    public static final int CONTROL_PORT = 7005;

    private static final Duration LIMIT = Duration.ofSeconds(10);

    private GuestControl() {}

    /** Sends a command and returns the first line of its answer. */
    public static String ask(String host, String command) throws IOException {
        return ask(host, command, LIMIT);
    }

    /** The same, for commands that take longer. */
    public static String ask(String host, String command, Duration limit) throws IOException {
        try (LineClient client = new LineClient(host, CONTROL_PORT, limit)) {
            client.send(command);
            return client.readLine();
        }
    }
}

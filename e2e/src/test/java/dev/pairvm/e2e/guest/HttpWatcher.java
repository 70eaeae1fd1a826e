package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks the guest's HTTP service again and again on one connection: each answer must be the asked one's, of the same boot as the first, and
 * of an uptime that only grows. Another boot is counted, not a fault by itself: where a reboot is allowed, it is the scenario that knows.
 */
public final class HttpWatcher extends ConnectionWatcher {
    /** Port of the HTTP service in the test guest. */
    public static final int HTTP_PORT = 7006;

    private static final Duration PACE = Duration.ofMillis(100);
    private static final int MOST_BYTES = 4096;
    private static final Pattern ANSWER = Pattern.compile(
            "HTTP/1\\.1 200 OK\r\n(?:[^\r\n]+\r\n)*?Content-Length: ([0-9]{1,4})\r\n(?:[^\r\n]+\r\n)*?\r\n(.*)",
            Pattern.DOTALL);
    private static final Pattern BODY =
            Pattern.compile("n=([0-9]{1,18}) uptime=([0-9]{1,9}\\.[0-9]{3}) boot=([0-9a-f-]{1,40})\n");

    private final AtomicLong boots = new AtomicLong();
    private String boot = "";
    private double uptime;

    private HttpWatcher(String name, String host, int port) {
        super(name, host, port);
    }

    /** Begins to ask. */
    public static HttpWatcher on(String name, String host) {
        return on(name, host, HTTP_PORT);
    }

    static HttpWatcher on(String name, String host, int port) {
        HttpWatcher watcher = new HttpWatcher(name, host, port);
        watcher.begin();
        return watcher;
    }

    @Override
    void converse(Socket socket) throws IOException {
        InputStream in = socket.getInputStream();
        byte[] bytes = new byte[MOST_BYTES];
        for (long n = 1; !isClosed(); n++) {
            String request = "GET /" + n + " HTTP/1.1\r\nHost: guest\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            int have = 0;
            while (!isClosed() && !complete(new String(bytes, 0, have, StandardCharsets.US_ASCII), n)) {
                if (have == MOST_BYTES) {
                    fault("request " + n + " is answered without an end");
                    throw new IOException("no HTTP");
                }
                have += read(in, bytes, have);
            }
            rest(PACE);
        }
    }

    /** Judges the answer once it is whole. */
    private boolean complete(String answer, long n) throws IOException {
        if (!answer.contains("\r\n\r\n")) {
            return false;
        }
        Matcher whole = ANSWER.matcher(answer);
        if (!whole.matches()) {
            fault("request " + n + " is answered by \"" + answer.strip() + "\"");
            throw new IOException("no HTTP");
        }
        int length = Integer.parseInt(whole.group(1));
        if (whole.group(2).length() < length) {
            return false;
        }
        Matcher body = BODY.matcher(whole.group(2));
        if (whole.group(2).length() > length || !body.matches() || Long.parseLong(body.group(1)) != n) {
            fault("request " + n + " is answered by \"" + whole.group(2).strip() + "\"");
            throw new IOException("no answer to what was asked");
        }
        judge(body.group(3), Double.parseDouble(body.group(2)));
        return true;
    }

    private void judge(String nowBoot, double nowUptime) {
        if (!nowBoot.equals(boot)) {
            boot = nowBoot;
            boots.incrementAndGet();
        } else if (nowUptime < uptime) {
            fault("uptime went back from " + uptime + " to " + nowUptime);
        }
        uptime = nowUptime;
        good();
    }

    /** Boots that were seen; more than 1: the guest was restarted. */
    public long boots() {
        return boots.get();
    }
}

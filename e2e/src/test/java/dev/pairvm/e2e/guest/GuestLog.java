package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Asks the guest to read its write log back from the disk, past every cache. */
public final class GuestLog {
    /** Port of the verifier in the test guest. */
    public static final int VERIFY_PORT = 7004;

    private static final Duration LIMIT = Duration.ofSeconds(60);

    private GuestLog() {}

    /**
     * What is on the disk.
     *
     * @param first oldest record still in the ring
     * @param last newest record
     * @param holes record numbers missing between them
     * @param damaged records whose checksum is wrong
     * @param ioErrors records that could not be read
     */
    public record Verdict(long first, long last, long holes, long damaged, long ioErrors) {}

    /** Reads the whole log; takes seconds under emulation. */
    public static Verdict verify(String host) throws IOException {
        try (LineClient client = new LineClient(host, VERIFY_PORT, LIMIT)) {
            client.send("verify");
            StringBuilder findings = new StringBuilder();
            String answer = client.readLine();
            while (!answer.startsWith("OK ") && !answer.startsWith("FAIL ")) {
                findings.append(answer).append("; ");
                answer = client.readLine();
            }
            answer = findings + answer;
            Map<String, Long> fields = new HashMap<>();
            for (String word : answer.split(" ")) {
                int equals = word.indexOf('=');
                if (equals > 0 && word.substring(equals + 1).matches("[0-9]{1,18}")) {
                    fields.put(word.substring(0, equals), Long.parseLong(word.substring(equals + 1)));
                }
            }
            return new Verdict(
                    field(fields, "first", answer),
                    field(fields, "last", answer),
                    field(fields, "holes", answer),
                    field(fields, "badcrc", answer),
                    field(fields, "ioerrors", answer));
        }
    }

    private static long field(Map<String, Long> fields, String name, String answer) throws IOException {
        Long value = fields.get(name);
        if (value == null) {
            throw new IOException("the guest's verifier did not say " + name + ": \"" + answer + "\"");
        }
        return value;
    }
}

package dev.pairvm.e2e.hostile;

import static dev.pairvm.e2e.hostile.NbdScript.BLOCK_STATUS;
import static dev.pairvm.e2e.hostile.NbdScript.FLUSH;
import static dev.pairvm.e2e.hostile.NbdScript.GO;
import static dev.pairvm.e2e.hostile.NbdScript.READ;
import static dev.pairvm.e2e.hostile.NbdScript.TRIM;
import static dev.pairvm.e2e.hostile.NbdScript.WRITE;
import static dev.pairvm.e2e.hostile.NbdScript.WRITE_ZEROES;
import static dev.pairvm.e2e.hostile.NbdScript.named;

import java.util.ArrayList;
import java.util.List;

/**
 * A lie to the disks' server, and the only right answer to it. None of them is a write that a server may carry out: the disk belongs
 * to a running guest.
 *
 * @param lie what is wrong
 * @param script the bytes
 * @param zeros how many zeros follow them
 * @param answers all lines of {@link NbdAnswers}, in order
 */
public record NbdAttack(String lie, NbdScript script, long zeros, List<String> answers) {
    private static final long FAR_AWAY = 1L << 62;
    private static final int LONG_OPTION = 20_000;
    private static final int LONG_REQUEST = 33 << 20;
    private static final String NO_SUCH_EXPORT = "UNKNOWN no such export";
    private static final String OPTION_TOO_BIG = "TOO BIG options are limited to 16384 bytes";

    @Override
    public String toString() {
        return lie;
    }

    private static NbdAttack of(String lie, NbdScript script, String... answers) {
        return new NbdAttack(lie, script, 0, List.of(answers));
    }

    /** During the handshake. */
    public static List<NbdAttack> onHandshake() {
        byte[] nothing = new byte[0];
        return List.of(
                of("HTTP", NbdScript.empty().text("GET / HTTP/1.1\r\nHost: nbd\r\n\r\n"), "closed"),
                of("client flags that do not exist", NbdScript.empty().hex("ffffffff"), "closed"),
                of("an option without its magic", NbdScript.greeting().text("this is no option"), "closed"),
                of(
                        "an option that claims four gibibytes",
                        NbdScript.greeting().option(6, -1, nothing),
                        "option 6: " + OPTION_TOO_BIG,
                        "closed"),
                of(
                        "an option beyond the bound",
                        NbdScript.greeting().option(GO, new byte[LONG_OPTION]).abort(),
                        "option 7: " + OPTION_TOO_BIG,
                        "option 2: ACK",
                        "closed"),
                of(
                        "an option that nobody knows",
                        NbdScript.greeting().option(0x7777, new byte[3]).abort(),
                        "option 30583: UNSUPPORTED",
                        "option 2: ACK",
                        "closed"),
                of(
                        "TLS on a socket inside the pod",
                        NbdScript.greeting().option(5, nothing).abort(),
                        "option 5: POLICY no TLS on a socket that never leaves the pod",
                        "option 2: ACK",
                        "closed"),
                of(
                        "an export that does not exist",
                        NbdScript.greeting()
                                .option(GO, named("../../etc/shadow", 16, 0))
                                .abort(),
                        "option 7: " + NO_SUCH_EXPORT,
                        "option 2: ACK",
                        "closed"),
                of(
                        "an export that does not exist, the old way",
                        NbdScript.greeting().option(1, new byte[] {'x'}),
                        "closed"),
                of(
                        "a name that is longer than its option",
                        NbdScript.greeting()
                                .option(GO, named("root", 0x7fffff00, 0))
                                .abort(),
                        "option 7: INVALID length of the export name is wrong",
                        "option 2: ACK",
                        "closed"),
                of(
                        "a name of negative length",
                        NbdScript.greeting().option(GO, named("root", -1, 0)).abort(),
                        "option 7: INVALID length of the export name is wrong",
                        "option 2: ACK",
                        "closed"),
                of(
                        "information requests that do not follow",
                        NbdScript.greeting().option(GO, named("root", 4, 9)).abort(),
                        "option 7: INVALID number of information requests is wrong",
                        "option 2: ACK",
                        "closed"),
                of(
                        "block status without structured replies",
                        NbdScript.greeting().option(10, named("root", 4, 0)).abort(),
                        "option 10: INVALID structured replies come first",
                        "option 2: ACK",
                        "closed"));
    }

    /** After the handshake, on this export. After each lie a flush shows that the stream is still in step. */
    public static List<NbdAttack> onTransmission(String export) {
        List<NbdAttack> attacks = new ArrayList<>();
        attacks.add(of(
                "a request without its magic",
                NbdScript.opened(export).text("this is no request, but as long as one"),
                "option 7: INFO",
                "option 7: ACK",
                "closed"));
        refusals(export).forEach(attacks::add);
        attacks.add(new NbdAttack(
                "a write beyond the longest request, with its payload",
                NbdScript.opened(export).request(WRITE, 0, 0, LONG_REQUEST),
                // The zeros go on as a request would: what follows the payload has no magic, and ends the connection.
                LONG_REQUEST + 28L,
                List.of("option 7: INFO", "option 7: ACK", "request 1: error 22", "closed")));
        return attacks;
    }

    private static List<NbdAttack> refusals(String export) {
        List<NbdAttack> attacks = new ArrayList<>();
        refused(attacks, export, "an unknown command", 22, 77, 0, 0, 512);
        refused(attacks, export, "unknown flags", 22, READ, 0x8000, 0, 512);
        refused(attacks, export, "a read behind the end", 22, READ, 0, FAR_AWAY, 512);
        refused(attacks, export, "a read before the start", 22, READ, 0, -4096, 512);
        refused(attacks, export, "a read whose end overflows", 22, READ, 0, Long.MAX_VALUE - 10, 512);
        refused(attacks, export, "a read beyond the longest request", 22, READ, 0, 0, LONG_REQUEST);
        refused(attacks, export, "a read of four gibibytes", 22, READ, 0, 0, -1);
        refused(attacks, export, "a flush of a place", 22, FLUSH, 0, 4096, 0);
        refused(attacks, export, "a trim behind the end", 28, TRIM, 0, FAR_AWAY, 512);
        refused(attacks, export, "zeroes behind the end", 28, WRITE_ZEROES, 0, FAR_AWAY, 512);
        refused(attacks, export, "zeroes over more than the disk", 28, WRITE_ZEROES, 0, 0, -1);
        refused(attacks, export, "block status that was not agreed on", 22, BLOCK_STATUS, 0, 0, 512);
        attacks.add(of(
                "a write behind the end, with its payload",
                NbdScript.opened(export)
                        .request(WRITE, 0, FAR_AWAY, 512)
                        .payload(512)
                        .request(FLUSH, 0, 0, 0)
                        .goodbye(),
                "option 7: INFO",
                "option 7: ACK",
                "request 1: error 28",
                "request 2: done",
                "closed"));
        return attacks;
    }

    private static void refused(
            List<NbdAttack> attacks,
            String export,
            String lie,
            int error,
            int command,
            int flags,
            long offset,
            int length) {
        attacks.add(of(
                lie,
                NbdScript.opened(export)
                        .request(command, flags, offset, length)
                        .request(FLUSH, 0, 0, 0)
                        .goodbye(),
                "option 7: INFO",
                "option 7: ACK",
                "request 1: error " + error,
                "request 2: done",
                "closed"));
    }
}

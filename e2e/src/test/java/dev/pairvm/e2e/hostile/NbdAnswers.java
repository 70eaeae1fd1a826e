package dev.pairvm.e2e.hostile;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Puts what an NBD server said into lines that a test can name. Simple replies only; a good read must be a script's last request. */
public final class NbdAnswers {
    private static final long INIT_MAGIC = 0x4e42444d41474943L;
    private static final long OPTION_REPLY_MAGIC = 0x3e889045565a9L;
    private static final int SIMPLE_REPLY_MAGIC = 0x67446698;
    private static final int GREETING_BYTES = 18;
    private static final Map<Integer, String> REPLIES = Map.of(
            1, "ACK",
            2, "SERVER",
            3, "INFO",
            0x80000001, "UNSUPPORTED",
            0x80000002, "POLICY",
            0x80000003, "INVALID",
            0x80000006, "UNKNOWN",
            0x80000009, "TOO BIG");

    private NbdAnswers() {}

    /** One line for each answer after the greeting, and how the connection ended. */
    public static List<String> lines(PodProbe.Answer answer) {
        List<String> lines = new ArrayList<>();
        ByteBuffer in = ByteBuffer.wrap(answer.received());
        try {
            if (in.getLong(0) != INIT_MAGIC) {
                return List.of("not an NBD server: " + HexFormat.of().formatHex(answer.received()));
            }
            in.position(GREETING_BYTES);
            while (in.hasRemaining()) {
                lines.add(line(in));
            }
        } catch (BufferUnderflowException | IndexOutOfBoundsException e) {
            lines.add("cut off");
        }
        lines.add(answer.end());
        return lines;
    }

    private static String line(ByteBuffer in) {
        if (in.remaining() >= 8 && in.getLong(in.position()) == OPTION_REPLY_MAGIC) {
            in.getLong();
            int option = in.getInt();
            int type = in.getInt();
            byte[] data = new byte[in.getInt()];
            in.get(data);
            String message = type < 0 ? new String(data, StandardCharsets.UTF_8) : "";
            String kind = REPLIES.getOrDefault(type, Integer.toHexString(type));
            return ("option " + option + ": " + kind + " " + message).strip();
        }
        if (in.getInt() != SIMPLE_REPLY_MAGIC) {
            byte[] rest = new byte[in.remaining()];
            in.get(rest);
            return rest.length + " bytes that are no answer";
        }
        int error = in.getInt();
        return "request " + in.getLong() + ": " + (error == 0 ? "done" : "error " + error);
    }

    /** The bytes of a good read that was the last request of its script, {@code length} of them. */
    public static byte[] lastRead(PodProbe.Answer answer, int length) {
        byte[] all = answer.received();
        if (all.length < length) {
            throw new AssertionError("wanted " + length + " bytes of a read, got " + lines(answer));
        }
        return Arrays.copyOfRange(all, all.length - length, all.length);
    }
}

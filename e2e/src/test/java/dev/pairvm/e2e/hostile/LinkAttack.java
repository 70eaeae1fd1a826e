package dev.pairvm.e2e.hostile;

import static dev.pairvm.e2e.hostile.LinkScript.GREETING;
import static dev.pairvm.e2e.hostile.LinkScript.SELECT;
import static dev.pairvm.e2e.hostile.LinkScript.STREAM_OPEN;
import static dev.pairvm.e2e.hostile.LinkScript.WRITE;

import java.util.List;

/**
 * What a holder of a good certificate can send that is no frame, or no frame for now.
 *
 * @param lie what is wrong
 * @param script the frames
 * @param reason what the mirror says before it closes, or a part of it
 */
public record LinkAttack(String lie, LinkScript script, String reason) {
    private static final byte[] NOTHING = new byte[0];
    private static final int BLOCK = 4096;

    @Override
    public String toString() {
        return lie;
    }

    /** All of them, from one who may call itself this copy of this machine. */
    public static List<LinkAttack> all(String machineUid, String copy) {
        byte[] payload = "x".repeat(BLOCK).getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        return List.of(
                new LinkAttack(
                        "no frame at all",
                        LinkScript.empty().text("GET / HTTP/1.1\r\nHost: mirror\r\n\r\n".repeat(4)),
                        "no frame begins here: magic is wrong"),
                new LinkAttack(
                        "a type that does not exist",
                        LinkScript.empty().frame(200, NOTHING, NOTHING),
                        "frame type 200 is not known"),
                new LinkAttack(
                        "a write before the greeting",
                        LinkScript.empty().frame(WRITE, LinkScript.write(0, 0, BLOCK), payload),
                        "WRITE came before a greeting"),
                new LinkAttack(
                        "a greeting that claims four gibibytes",
                        LinkScript.empty().claim(GREETING, -1, 0),
                        "GREETING announces 4294967295 + 0 bytes"),
                new LinkAttack(
                        "a greeting with a payload",
                        LinkScript.empty().claim(GREETING, 100, BLOCK),
                        "GREETING announces 100 + 4096 bytes"),
                new LinkAttack(
                        "a damaged greeting",
                        LinkScript.empty().damagedFrame(GREETING, LinkScript.greeting(1, machineUid, copy)),
                        "GREETING is damaged: CRC32C of header and body is wrong"),
                new LinkAttack(
                        "a greeting that ends too soon",
                        LinkScript.empty().frame(GREETING, new byte[] {0, 0, 0, 1, 0}, NOTHING),
                        "frame ends within features"),
                new LinkAttack(
                        "another version",
                        LinkScript.empty().frame(GREETING, LinkScript.greeting(99, machineUid, copy), NOTHING),
                        "it speaks version 99 of the link"),
                new LinkAttack(
                        "the name of another copy",
                        LinkScript.empty().frame(GREETING, LinkScript.greeting(1, machineUid, "y"), NOTHING),
                        "it greets as copy y but its certificate is of copy " + copy),
                new LinkAttack(
                        "the name of another machine",
                        LinkScript.empty().frame(GREETING, LinkScript.greeting(1, "another", copy), NOTHING),
                        "it greets as copy " + copy + " but its certificate is of copy " + copy),
                new LinkAttack(
                        "a damaged payload",
                        LinkScript.greeted(machineUid, copy)
                                .damagedPayload(WRITE, LinkScript.write(0, 0, BLOCK), payload),
                        "WRITE is damaged: CRC32C of the payload is wrong"),
                new LinkAttack(
                        "a write that is longer than its payload",
                        LinkScript.greeted(machineUid, copy).frame(WRITE, LinkScript.write(0, 0, 2 * BLOCK), payload),
                        "WRITE came with a payload of 4096 bytes instead of 8192"),
                new LinkAttack(
                        "a write before the start of the disk",
                        LinkScript.greeted(machineUid, copy).frame(WRITE, LinkScript.write(0, -BLOCK, BLOCK), payload),
                        "range at -4096 has 4096 bytes"),
                new LinkAttack(
                        "a write to a disk that can not exist",
                        LinkScript.greeted(machineUid, copy)
                                .frame(WRITE, LinkScript.write(1_000_000, 0, BLOCK), payload),
                        "disk 1000000 does not exist"),
                new LinkAttack(
                        "a write of more than a frame holds",
                        LinkScript.greeted(machineUid, copy).claim(WRITE, 18, Integer.MAX_VALUE),
                        "WRITE announces 18 + 2147483647 bytes"),
                new LinkAttack(
                        "a good write, before anybody agreed on a session",
                        LinkScript.greeted(machineUid, copy)
                                .frame(SELECT, NOTHING, NOTHING)
                                .frame(WRITE, LinkScript.write(0, 0, BLOCK), payload),
                        "a frame before hello"),
                new LinkAttack(
                        "a stream of the wrong side",
                        LinkScript.greeted(machineUid, copy)
                                .frame(SELECT, NOTHING, NOTHING)
                                .frame(STREAM_OPEN, LinkScript.streamOpen(2, "migration"), NOTHING),
                        "stream 2 can not be opened"));
    }
}

package dev.pairvm.mirror.network;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * The dead man's switch: the guest's packets pass, in both directions, only while an element with a timeout lives in a set of the
 * kernel's packet filter. If this process stalls or dies the kernel closes the gate by itself.
 *
 * <p>All methods may be called from any thread; each is one request to the kernel, answered in well under a millisecond as a rule
 * and given up after 200 ms. When a renewal fails the gate is left to close by itself, which is the safe side.
 *
 * <p>The bytes are those of {@code nft}'s own {@code flush set} and {@code add element} in one transaction (kernel:
 * {@code nf_tables.h}): packets see the old elements or the new ones, never none. Not through a child {@code nft -i}: a timeout is
 * relative, and every millisecond that it waits in another process' pipe would keep the gate open past the lease.
 */
public final class Gate implements AutoCloseable {
    private static final String TABLE = "pairvm";
    private static final String OPEN = "open";

    private static final int BATCH_BEGIN = 0x10;
    private static final int BATCH_END = 0x11;
    private static final int SUBSYSTEM = 10;
    private static final int NEW_ELEMENTS = SUBSYSTEM << 8 | 12;
    private static final int DELETE_ELEMENTS = SUBSYSTEM << 8 | 14;
    private static final int CREATE = 0x400;
    private static final int FAMILY_BRIDGE = 7;
    private static final int INTERFACE_NAME_BYTES = 16;
    private static final long NANOS_PER_MILLI = 1_000_000;
    /**
     * Shorter is the same as shut. The kernel counts timeouts in ticks of up to 10 ms and rounds down, and no tick at all means
     * "for ever".
     */
    private static final long SHORTEST_MILLIS = 20;

    private final LongSupplier bootNanos;
    private final List<String> taps;
    private final NetlinkSocket socket;

    /** For taps whose rules {@link #install} made. */
    Gate(List<String> taps, LongSupplier bootNanos) throws NetworkException {
        this.taps = List.copyOf(taps);
        this.bootNanos = bootNanos;
        this.socket = new NetlinkSocket(NetlinkSocket.NETFILTER);
    }

    /**
     * Makes the rules, in one transaction. A gate that is open stays open (the mirror restarted, the lease did not), a new one is
     * shut. The hooks of the bridge see every frame that a tap sends or is sent, also those from and to the pod itself.
     */
    static void install(Commands commands, List<String> taps) throws NetworkException {
        StringBuilder rules = new StringBuilder("""
                add table bridge pairvm
                add set bridge pairvm open { type ifname; flags timeout; }
                add set bridge pairvm guests { type ifname; }
                flush set bridge pairvm guests
                add chain bridge pairvm from_guest { type filter hook prerouting priority -200; policy accept; }
                add chain bridge pairvm to_pod { type filter hook input priority -200; policy accept; }
                add chain bridge pairvm to_guest { type filter hook postrouting priority 200; policy accept; }
                flush chain bridge pairvm from_guest
                flush chain bridge pairvm to_pod
                flush chain bridge pairvm to_guest
                add rule bridge pairvm from_guest iifname @guests iifname != @open drop
                add rule bridge pairvm to_pod iifname @guests iifname != @open drop
                add rule bridge pairvm to_guest oifname @guests oifname != @open drop
                """);
        for (String tap : taps) {
            rules.append("add element bridge pairvm guests { \"").append(tap).append("\" }\n");
        }
        rules.append(detached(taps));
        commands.run(rules.toString(), List.of("nft", "-f", "-"));
    }

    /**
     * A detached tap stays up: taken down and up again it would forward only when the kernel next looks at link states, up to a
     * second later. So the pod itself must be deaf to it; a bridged frame never reaches these hooks under its tap's name.
     */
    private static String detached(List<String> taps) {
        if (taps.isEmpty()) {
            return "";
        }
        String names = "{ \"" + String.join("\", \"", taps) + "\" }";
        return """
                add table inet pairvm
                add chain inet pairvm detached { type filter hook prerouting priority -300; policy accept; }
                flush chain inet pairvm detached
                add rule inet pairvm detached iifname %1$s drop
                add table arp pairvm
                add chain arp pairvm detached { type filter hook input priority 0; policy accept; }
                flush chain arp pairvm detached
                add rule arp pairvm detached iifname %1$s drop
                """.formatted(names);
    }

    /**
     * Keeps the gate open until then, and no longer. A time that has passed, or is less than 20 ms away, shuts it.
     *
     * @param untilNanos nanoseconds of CLOCK_BOOTTIME
     */
    public synchronized void renew(long untilNanos) throws NetworkException {
        long millis = (untilNanos - bootNanos.getAsLong()) / NANOS_PER_MILLI;
        if (millis < SHORTEST_MILLIS) {
            shut();
            return;
        }
        replace(millis);
        // The timeout is relative: if this thread was held up between reading the clock and the request, the gate would
        // stay open
        // too long by as much.
        if (untilNanos - bootNanos.getAsLong() <= 0) {
            shut();
        }
    }

    /** Opens it without end, for an active that the arbiter recorded as alone: no other side can be promoted. */
    public synchronized void openUnlimited() throws NetworkException {
        replace(0);
    }

    /** Shuts it now; when this returns normally the kernel has done so. If it throws, detach the taps and kill the guest. */
    public synchronized void shut() throws NetworkException {
        NetlinkMessages batch = begin();
        flush(batch);
        end(batch, "shut the gate");
    }

    private void replace(long millis) throws NetworkException {
        if (taps.isEmpty()) {
            return;
        }
        NetlinkMessages batch = begin();
        flush(batch);
        elements(batch, NEW_ELEMENTS, CREATE);
        int list = batch.open(3);
        for (String tap : taps) {
            int element = batch.open(1);
            int key = batch.open(1);
            batch.attribute(1, Arrays.copyOf(tap.getBytes(StandardCharsets.US_ASCII), INTERFACE_NAME_BYTES));
            batch.close(key);
            if (millis > 0) {
                batch.attribute(
                        4,
                        ByteBuffer.allocate(8)
                                .order(ByteOrder.BIG_ENDIAN)
                                .putLong(millis)
                                .array());
            }
            batch.close(element);
        }
        batch.close(list);
        end(batch, "open the gate");
    }

    private NetlinkMessages begin() {
        NetlinkMessages batch = socket.messages().begin(BATCH_BEGIN, 0, false);
        header(batch, 0, SUBSYSTEM);
        return batch;
    }

    private static void flush(NetlinkMessages batch) {
        elements(batch, DELETE_ELEMENTS, 0);
    }

    private static void elements(NetlinkMessages batch, int type, int flags) {
        batch.begin(type, flags, true);
        header(batch, FAMILY_BRIDGE, 0);
        batch.text(1, TABLE).text(2, OPEN);
    }

    private void end(NetlinkMessages batch, String what) throws NetworkException {
        batch.begin(BATCH_END, 0, false);
        header(batch, 0, SUBSYSTEM);
        socket.request(batch, what);
    }

    /** {@code struct nfgenmsg}; its last field is big-endian. */
    private static void header(NetlinkMessages batch, int family, int resource) {
        batch.fixed()
                .put((byte) family)
                .put((byte) 0)
                .put((byte) (resource >> 8))
                .put((byte) resource);
    }

    /** Gives back the socket. The gate stays as it is: open until its timeout. */
    @Override
    public void close() {
        socket.close();
    }
}

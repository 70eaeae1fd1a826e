package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** An arbiter record within a frame. */
final class RecordBody {
    private static final int MOST_COPIES = 64;
    private static final int MOST_ADDRESSES = 8;
    private static final int MOST_TEXT = 128;
    private static final ArbiterRecord.Mode[] MODES = ArbiterRecord.Mode.values();

    private RecordBody() {}

    static void write(BodyWriter out, ArbiterRecord arbiter) {
        out.i64(arbiter.epoch().value()).copy(arbiter.active());
        out.count(arbiter.inSync().size(), MOST_COPIES, "inSync");
        arbiter.inSync().forEach(out::copy);
        out.u8(arbiter.mode().ordinal()).text(arbiter.nonce(), MOST_TEXT, "nonce");
        out.count(arbiter.addresses().size(), MOST_COPIES, "addresses");
        for (Map.Entry<CopyId, List<String>> entry : arbiter.addresses().entrySet()) {
            out.copy(entry.getKey()).count(entry.getValue().size(), MOST_ADDRESSES, "addresses of a copy");
            entry.getValue().forEach(address -> out.text(address, MOST_TEXT, "address"));
        }
    }

    static ArbiterRecord read(BodyReader in) throws MalformedFrameException {
        long epoch = in.i64("epoch of the record");
        CopyId active = in.copy("active");
        TreeSet<CopyId> inSync = new TreeSet<>();
        for (int i = in.count(MOST_COPIES, "inSync"); i > 0; i--) {
            inSync.add(in.copy("inSync"));
        }
        ArbiterRecord.Mode mode = in.oneOf(MODES, "mode");
        String nonce = in.text(MOST_TEXT, "nonce");
        TreeMap<CopyId, List<String>> addresses = new TreeMap<>();
        for (int i = in.count(MOST_COPIES, "addresses"); i > 0; i--) {
            CopyId copy = in.copy("copy of addresses");
            List<String> list = new ArrayList<>();
            for (int j = in.count(MOST_ADDRESSES, "addresses of a copy"); j > 0; j--) {
                list.add(in.text(MOST_TEXT, "address"));
            }
            addresses.put(copy, list);
        }
        try {
            return new ArbiterRecord(new Epoch(epoch), active, inSync, mode, nonce, addresses);
        } catch (IllegalArgumentException e) {
            throw new MalformedFrameException("arbiter record: " + e.getMessage());
        }
    }
}

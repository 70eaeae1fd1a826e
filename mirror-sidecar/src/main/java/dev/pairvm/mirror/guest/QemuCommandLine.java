package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.pairvm.api.mirror.MirrorConfig;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Turns a machine's description into QEMU's arguments. Pure: touches nothing.
 *
 * <p>Where a user's word goes into an argument it either passes a narrow pattern, or goes in as a JSON string, so that none can add
 * an option. The same description gives the same machine on both hosts, in each mode: only the accelerator, {@code -incoming}, and
 * what a twin's disks stand on differ. Live migration depends on it, and that level 3 can be switched on while the guest runs: for
 * it nothing has to be there from the start. Its filters understand the cards' virtio-net headers, so that guests keep their
 * offloads; vhost, which would pass by the filters, is off for all.
 */
public final class QemuCommandLine {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
    private static final Pattern CPU_MODEL = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,62}");
    private static final Pattern UUID = Pattern.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
    private static final Pattern MAC = Pattern.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}");
    private static final Pattern MACHINE = Pattern.compile("(pc|q35|pc-(i440fx|q35)-[0-9]{1,2}\\.[0-9]{1,2})");
    /** virtio-blk's bound on a serial number. */
    private static final int MAX_SERIAL_BYTES = 20;
    /** What SMBIOS strings and QEMU take without complaint. */
    private static final int MAX_SMBIOS_BYTES = 255;
    /** QEMU waits this long for a mirror that is restarting before it fails the guest's requests; a day is "for ever". */
    private static final int RECONNECT_SECONDS = 86_400;

    private final MirrorConfig config;
    private final GuestFiles files;
    private final Accelerator accelerator;
    private final List<String> taps;
    private final boolean cloudInitImage;

    /**
     * @param taps names of the host's tap devices, one per interface of the guest, in the same order
     * @param cloudInitImage whether {@link GuestFiles#cloudInitImage()} exists and is to be attached
     * @throws IllegalArgumentException naming the field that QEMU could not be told safely
     */
    public QemuCommandLine(
            MirrorConfig config, GuestFiles files, Accelerator accelerator, List<String> taps, boolean cloudInitImage) {
        this.config = config;
        this.files = files;
        this.accelerator = accelerator;
        this.taps = List.copyOf(taps);
        this.cloudInitImage = cloudInitImage;
        check();
    }

    private void check() {
        MirrorConfig.Guest guest = config.guest();
        matches("machine", config.machine(), WORD);
        matches("machineType", guest.machineType(), MACHINE);
        matches("cpu.model", guest.cpu().model(), CPU_MODEL);
        matches("firmware.uuid", guest.firmware().uuid(), UUID);
        range("cpu.sockets", guest.cpu().sockets(), 1, 512);
        range("cpu.cores", guest.cpu().cores(), 1, 512);
        range("cpu.threads", guest.cpu().threads(), 1, 512);
        range(
                "vcpus",
                (long) guest.cpu().sockets() * guest.cpu().cores() * guest.cpu().threads(),
                1,
                512);
        range("memoryMib", guest.memoryMib(), 1, 1 << 24);
        guest.firmware().serial().ifPresent(serial -> printable("firmware.serial", serial, MAX_SMBIOS_BYTES));
        guest.kernelArgs().ifPresent(arguments -> {
            if (!guest.firmware().efi()) {
                throw new IllegalArgumentException(
                        "kernelArgs can be given to a guest with EFI firmware only: the kernel"
                                + " is on the guest's disk, and systemd's EFI stub is what reads them from SMBIOS");
            }
            printable("kernelArgs", arguments, MAX_SMBIOS_BYTES - 64);
        });
        for (MirrorConfig.Disk disk : config.disks()) {
            matches("disk name", disk.name(), WORD);
            disk.serial().ifPresent(serial -> printable("serial of disk " + disk.name(), serial, MAX_SERIAL_BYTES));
            disk.bootOrder().ifPresent(order -> range("bootOrder of disk " + disk.name(), order, 1, 1000));
        }
        if (taps.size() != guest.interfaces().size()) {
            throw new IllegalArgumentException(
                    guest.interfaces().size() + " interfaces need as many taps, got " + taps.size());
        }
        taps.forEach(tap -> matches("tap", tap, WORD));
        guest.interfaces().forEach(card -> matches("mac of interface " + card.name(), card.mac(), MAC));
    }

    private static void matches(String field, String value, Pattern pattern) {
        if (!pattern.matcher(value).matches()) {
            throw new IllegalArgumentException(field + " must match " + pattern + ", got \"" + value + "\"");
        }
    }

    private static void range(String field, long value, long least, long most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(field + " must be from " + least + " to " + most + ", got " + value);
        }
    }

    private static void printable(String field, String value, int maxBytes) {
        boolean clean = value.chars().allMatch(c -> c >= 0x20 && c < 0x7f);
        if (!clean || value.getBytes(StandardCharsets.UTF_8).length > maxBytes || value.isEmpty()) {
            throw new IllegalArgumentException(
                    field + " must be 1 to " + maxBytes + " printable ASCII characters, got \"" + value + "\"");
        }
    }

    /** The uuid that is among the arguments and tells this machine's QEMU from any other process. */
    String uuid() {
        return config.guest().firmware().uuid();
    }

    /** The machine's disks, as a twin needs to know them. */
    List<ColoStandby.Disk> twinDisks() {
        return config.disks().stream()
                .map(disk -> new ColoStandby.Disk(disk.name(), disk.sizeBytes()))
                .toList();
    }

    /** How many network cards the guest has. */
    int cards() {
        return taps.size();
    }

    /**
     * The arguments, without the program's name; none contains a line break. For {@link StartMode#TWIN} the overlays must exist when
     * QEMU starts.
     */
    public List<String> arguments(StartMode mode) {
        MirrorConfig.Guest guest = config.guest();
        List<String> all = new ArrayList<>(List.of("-name", "guest=" + config.machine(), "-uuid", uuid()));
        all.addAll(List.of("-S", "-nodefaults", "-no-user-config", "-display", "none"));
        if (mode == StartMode.COMMIT) {
            all.addAll(List.of("-machine", "none", "-qmp", monitor()));
            for (int i = 0; i < config.disks().size(); i++) {
                base(all, i, OverlayNodes.base(i));
                overlays(all, i, false);
            }
            return all;
        }
        all.addAll(List.of("-machine", "type=" + guest.machineType()));
        all.addAll(accelerator.arguments());
        MirrorConfig.Cpu cpu = guest.cpu();
        all.addAll(List.of(
                "-cpu",
                cpu.model(),
                "-smp",
                "sockets=%d,cores=%d,threads=%d".formatted(cpu.sockets(), cpu.cores(), cpu.threads())));
        all.addAll(List.of("-m", "size=" + guest.memoryMib() + "M"));
        all.addAll(firmware(guest));
        // The mirror hears of it and decides; QEMU stays, so that even a mirror that was away can ask what happened.
        all.addAll(List.of("-action", "panic=pause,shutdown=pause,reboot=reset"));
        all.addAll(List.of("-boot", "strict=on"));
        all.addAll(List.of("-qmp", monitor()));
        disks(all, mode);
        cards(all, guest);
        all.addAll(List.of(
                "-chardev",
                "socket,id=console,path=" + escaped(files.serialSocket()) + ",server=on,wait=off",
                "-serial",
                "chardev:console"));
        device(all, object("driver", "pvpanic"));
        all.addAll(List.of("-object", "rng-builtin,id=rng"));
        device(all, object("driver", "virtio-rng-pci").put("id", "rngdev").put("rng", "rng"));
        switch (mode) {
            case BOOT, COMMIT -> {}
            case INCOMING, TWIN -> all.addAll(List.of("-incoming", "defer"));
        }
        return all;
    }

    private static List<String> firmware(MirrorConfig.Guest guest) {
        List<String> all = new ArrayList<>();
        if (guest.firmware().efi()) {
            // Settings of the firmware do not outlive QEMU: its variables are a fresh copy at each start, as on the
            // other host.
            all.addAll(List.of(
                    "-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                    "-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd"));
        }
        guest.firmware()
                .serial()
                .ifPresent(serial -> all.addAll(
                        List.of("-smbios", "type=1,uuid=" + guest.firmware().uuid() + ",serial=" + doubled(serial))));
        guest.kernelArgs()
                .ifPresent(arguments -> all.addAll(List.of(
                        "-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra=" + doubled(arguments))));
        return all;
    }

    private void disks(List<String> all, StartMode mode) {
        // Boot order counts from 1 and may have gaps; machines that give none boot from the first disk.
        boolean ordered =
                config.disks().stream().anyMatch(disk -> disk.bootOrder().isPresent());
        for (int i = 0; i < config.disks().size(); i++) {
            MirrorConfig.Disk disk = config.disks().get(i);
            boolean twin = mode == StartMode.TWIN;
            base(all, i, twin ? OverlayNodes.base(i) : OverlayNodes.top(i));
            if (twin) {
                overlays(all, i, true);
            }
            ObjectNode device = object("driver", "virtio-blk-pci")
                    .put("id", "blk" + i)
                    .put("drive", OverlayNodes.top(i))
                    .put("write-cache", "on")
                    // The mirror never reports a lasting error to a guest it can still serve; if it does, the guest
                    // shall see it.
                    .put("werror", "report")
                    .put("rerror", "report");
            disk.serial().ifPresent(serial -> device.put("serial", serial));
            if (ordered) {
                disk.bootOrder().ifPresent(order -> device.put("bootindex", order));
            } else if (i == 0) {
                device.put("bootindex", 1);
            }
            device(all, device);
        }
        if (cloudInitImage) {
            all.addAll(List.of(
                    "-blockdev",
                    object("driver", "file")
                            .put("filename", files.cloudInitImage().toString())
                            .put("read-only", true)
                            .put("node-name", "cidata")
                            .toString()));
            device(
                    all,
                    object("driver", "virtio-blk-pci").put("id", "cidatadev").put("drive", "cidata"));
        }
    }

    /** This copy's store, served by the mirror. */
    private void base(List<String> all, int index, String name) {
        ObjectNode node = object("driver", "nbd");
        node.set("server", object("type", "unix").put("path", files.nbdSocket().toString()));
        node.put("export", config.disks().get(index).name())
                .put("reconnect-delay", RECONNECT_SECONDS)
                .put("node-name", name)
                .put("discard", "unmap")
                .put("detect-zeroes", "off");
        node.set("cache", JSON.createObjectNode().put("direct", false).put("no-flush", false));
        all.addAll(List.of("-blockdev", node.toString()));
    }

    private void overlays(List<String> all, int index, boolean replicated) {
        List<ObjectNode> above = OverlayNodes.description(
                index,
                new OverlayFiles(files.overlays()),
                config.disks().get(index).name());
        for (ObjectNode each : replicated ? above : above.subList(0, above.size() - 1)) {
            all.addAll(List.of("-blockdev", each.toString()));
        }
    }

    private String monitor() {
        return "unix:" + escaped(files.qmpSocket()) + ",server=on,wait=off";
    }

    private void cards(List<String> all, MirrorConfig.Guest guest) {
        for (int i = 0; i < taps.size(); i++) {
            all.addAll(List.of(
                    "-netdev", "tap,id=net%d,ifname=%s,script=no,downscript=no,vhost=off".formatted(i, taps.get(i))));
            // No option ROM: nothing boots from the network, and both hosts need not have the same one.
            device(
                    all,
                    object("driver", "virtio-net-pci")
                            .put("id", "nic" + i)
                            .put("netdev", "net" + i)
                            .put("mac", guest.interfaces().get(i).mac())
                            .put("romfile", ""));
        }
    }

    private static void device(List<String> all, ObjectNode device) {
        all.addAll(List.of("-device", device.toString()));
    }

    private static ObjectNode object(String key, String value) {
        return JSON.createObjectNode().put(key, value);
    }

    /** In QEMU's {@code key=value,…} syntax a comma in a value is written twice. */
    private static String doubled(String value) {
        return value.replace(",", ",,");
    }

    private static String escaped(Object path) {
        return doubled(path.toString());
    }
}

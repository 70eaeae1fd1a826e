package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorConfig.Binding;
import dev.pairvm.api.mirror.MirrorConfig.Cpu;
import dev.pairvm.api.mirror.MirrorConfig.Disk;
import dev.pairvm.api.mirror.MirrorConfig.Firmware;
import dev.pairvm.api.mirror.MirrorConfig.Guest;
import dev.pairvm.api.mirror.MirrorConfig.Interface;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** From description to arguments, and what can not be described. */
class QemuCommandLineTest {
    private static final String UUID = "7d1a2b3c-0000-4000-8000-00000000abcd";
    private static final Firmware BIOS = new Firmware(false, UUID, Optional.empty());
    private static final Disk ROOT = disk("root", Optional.empty(), Optional.empty());
    private static final Interface LAN = new Interface("lan", "02:00:00:00:00:01", Binding.BRIDGE, "net1", List.of());

    private static Disk disk(String name, Optional<String> serial, Optional<Integer> order) {
        return new Disk(name, "/x", Disk.Kind.FILE, 1 << 30, serial, order);
    }

    private static Guest guest(String machine, Cpu cpu, int memory, Firmware firmware, List<Interface> cards) {
        return new Guest(
                cpu,
                memory,
                machine,
                firmware,
                cards,
                Optional.empty(),
                false,
                Optional.empty(),
                MirrorConfig.OnCrash.RESTART,
                30);
    }

    private static QemuCommandLine line(Guest guest, List<Disk> disks, List<String> taps) {
        MirrorConfig config = new MirrorConfig(
                "orders",
                UUID,
                "default",
                new CopyId("a"),
                "pairvm-orders",
                disks,
                MirrorConfig.Timing.DEFAULT,
                MirrorConfig.SlowPeer.DEGRADE,
                new MirrorConfig.Link(7400, List.of("eth0")),
                guest,
                true);
        return new QemuCommandLine(config, new GuestFiles(Path.of("/run/pairvm")), Accelerator.TCG, taps, false);
    }

    private static List<String> arguments(Guest guest, List<Disk> disks, List<String> taps) {
        return line(guest, disks, taps).arguments(StartMode.BOOT);
    }

    private static Guest plain() {
        return guest("q35", new Cpu(1, 2, 1, "max"), 1024, BIOS, List.of(LAN));
    }

    @Test
    void describesAMachine() {
        List<String> all = arguments(
                plain(), List.of(ROOT, disk("data", Optional.of("A,b=\"c\""), Optional.empty())), List.of("pvtap0"));
        assertThat(all).containsSequence("-uuid", UUID).contains("-S", "-nodefaults");
        assertThat(all).containsSequence("-accel", "tcg").containsSequence("-m", "size=1024M");
        assertThat(all).containsSequence("-smp", "sockets=1,cores=2,threads=1");
        assertThat(all).containsSequence("-action", "panic=pause,shutdown=pause,reboot=reset");
        assertThat(all)
                .anyMatch(each -> each.contains("\"driver\":\"nbd\"")
                        && each.contains("\"export\":\"root\"")
                        && each.contains("\"reconnect-delay\":86400"));
        assertThat(all)
                .as("a serial is data, whatever is in it")
                .anyMatch(each -> each.contains("\"serial\":\"A,b=\\\"c\\\"\""));
        assertThat(all)
                .anyMatch(each -> each.contains("virtio-net-pci") && each.contains("\"mac\":\"02:00:00:00:00:01\""));
        assertThat(all).noneMatch(each -> each.contains("incoming"));
        assertThat(line(plain(), List.of(ROOT), List.of("pvtap0")).arguments(StartMode.INCOMING))
                .endsWith("-incoming", "defer");
    }

    @Test
    void aTwinIsTheSameMachineOnOverlays() {
        QemuCommandLine line = line(plain(), List.of(ROOT), List.of("pvtap0"));
        List<String> boot = line.arguments(StartMode.BOOT);
        List<String> twin = line.arguments(StartMode.TWIN);
        assertThat(twin).endsWith("-incoming", "defer").contains("-S");
        assertThat(devices(twin)).as("migration needs the same devices").isEqualTo(devices(boot));
        assertThat(boot).as("level 3 can be switched on later").anyMatch(each -> each.contains("vhost=off"));
        assertThat(twin)
                .anyMatch(each -> each.contains("\"driver\":\"nbd\"") && each.contains("\"node-name\":\"base0\""))
                .contains(
                        "{\"driver\":\"file\",\"node-name\":\"hidden0-file\","
                                + "\"filename\":\"/run/pairvm/overlays/root.hidden.qcow2\"}",
                        "{\"driver\":\"qcow2\",\"node-name\":\"hidden0\",\"file\":\"hidden0-file\",\"backing\":\"base0\"}",
                        "{\"driver\":\"qcow2\",\"node-name\":\"active0\",\"file\":\"active0-file\",\"backing\":\"hidden0\"}",
                        "{\"driver\":\"replication\",\"node-name\":\"disk0\",\"mode\":\"secondary\","
                                + "\"top-id\":\"disk0\",\"file\":\"active0\"}");
        assertThat(boot).noneMatch(each -> each.contains("replication"));
        assertThat(line.arguments(StartMode.COMMIT))
                .containsSequence("-machine", "none")
                .anyMatch(each -> each.contains("\"node-name\":\"active0\""))
                .noneMatch(each -> each.contains("replication") || each.equals("-device") || each.equals("-netdev"));
    }

    private static List<String> devices(List<String> arguments) {
        List<String> found = new ArrayList<>();
        for (int i = 0; i < arguments.size(); i++) {
            if (List.of("-device", "-netdev", "-machine", "-cpu", "-smp", "-m").contains(arguments.get(i))) {
                found.add(arguments.get(i + 1));
            }
        }
        return found;
    }

    @Test
    void bootsFromTheFirstDiskUnlessToldOtherwise() {
        List<String> all =
                arguments(plain(), List.of(ROOT, disk("data", Optional.empty(), Optional.empty())), List.of("pvtap0"));
        assertThat(all)
                .filteredOn(each -> each.contains("bootindex"))
                .singleElement()
                .asString()
                .contains("disk0");
        List<String> other =
                arguments(plain(), List.of(ROOT, disk("data", Optional.empty(), Optional.of(7))), List.of("pvtap0"));
        assertThat(other)
                .filteredOn(each -> each.contains("bootindex"))
                .singleElement()
                .asString()
                .contains("disk1", "\"bootindex\":7");
    }

    @Test
    void wordsThatWouldAddAnOptionAreRefusedByTheirField() {
        Cpu cpu = new Cpu(1, 1, 1, "max");
        refused(guest("q35,accel=kvm", cpu, 512, BIOS, List.of()), "machineType");
        refused(guest("none", cpu, 512, BIOS, List.of()), "machineType");
        refused(guest("q35", new Cpu(1, 1, 1, "max,+svm"), 512, BIOS, List.of()), "cpu.model");
        refused(guest("q35", new Cpu(0, 1, 1, "max"), 512, BIOS, List.of()), "cpu.sockets");
        refused(guest("q35", new Cpu(512, 512, 1, "max"), 512, BIOS, List.of()), "vcpus");
        refused(guest("q35", cpu, 0, BIOS, List.of()), "memoryMib");
        refused(guest("q35", cpu, 512, new Firmware(false, "x -S", Optional.empty()), List.of()), "firmware.uuid");
        refused(guest("q35", cpu, 512, new Firmware(false, UUID, Optional.of("a\nb")), List.of()), "firmware.serial");
        refusedDisk(disk("../root", Optional.empty(), Optional.empty()), "disk name");
        refusedDisk(disk("root", Optional.of("a\u0000b"), Optional.empty()), "serial of disk root");
        refusedDisk(disk("root", Optional.of("x".repeat(21)), Optional.empty()), "1 to 20");
        refusedDisk(disk("root", Optional.empty(), Optional.of(0)), "bootOrder of disk root");
        assertThatThrownBy(() -> arguments(
                        guest(
                                "q35",
                                cpu,
                                512,
                                BIOS,
                                List.of(new Interface("lan", "02:00,x=y", Binding.BRIDGE, "e", List.of()))),
                        List.of(ROOT),
                        List.of("pvtap0")))
                .hasMessageContaining("mac of interface lan");
        assertThatThrownBy(() -> arguments(plain(), List.of(ROOT), List.of())).hasMessageContaining("as many taps");
        assertThatThrownBy(() -> arguments(plain(), List.of(ROOT), List.of("a,script=/bin/sh")))
                .hasMessageContaining("tap");
    }

    private static void refused(Guest guest, String field) {
        assertThatThrownBy(() -> arguments(guest, List.of(ROOT), List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(field);
    }

    private static void refusedDisk(Disk disk, String field) {
        assertThatThrownBy(() -> arguments(plain(), List.of(disk), List.of("pvtap0")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(field);
    }

    @Test
    void theAcceleratorIsOneOfThreeWords() {
        assertThat(Accelerator.parse("auto").arguments()).containsExactly("-accel", "kvm", "-accel", "tcg");
        assertThatThrownBy(() -> Accelerator.parse("KVM")).hasMessageContaining("PAIRVM_ACCELERATOR");
    }
}

"""Who a machine of ours is measured beside: the same guest without protection, and a pair of QEMUs in COLO without anything of ours between them."""

import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import ft_guest
from ft_hosts import DISK_MIB, LAN, MAC, MEMORY_MIB, forget_neighbour, run, until

COMMON = ["-nodefaults", "-no-user-config", "-display", "none", "-machine", "type=q35", "-accel", "tcg", "-cpu", "max", "-smp", "1",
          "-m", f"size={MEMORY_MIB}M"]
CAPABILITIES = ["return-path", "x-colo", "pause-before-switchover", "events"]
# The card carries virtio-net headers, as ours does, and so every filter must.
VNET = {"vnet_hdr_support": True}
# A guest that is stopped by hand before the last of its memory goes: with TCG, pages would be missing otherwise.
STOP_BELOW = 32 << 20


class Monitor:
    """QMP: one command at a time, events kept."""

    def __init__(self, path):
        self.events, self.answers, self.changed = [], {}, threading.Condition()
        self.numbers = itertools.count()
        until(f"QEMU's monitor {path}", lambda: self.opened(path))
        threading.Thread(target=self.listen, daemon=True).start()
        self("qmp_capabilities")

    def opened(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.connect(str(path))
        except OSError:
            return False
        self.lines = self.sock.makefile("r")
        return bool(self.lines.readline())

    def listen(self):
        for line in self.lines:
            message = json.loads(line)
            with self.changed:
                if "event" in message:
                    self.events.append(message)
                else:
                    self.answers[message.get("id")] = message
                self.changed.notify_all()

    def __call__(self, command, **arguments):
        number = next(self.numbers)
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments, "id": number}).encode() + b"\n")
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers, 60):
                raise SystemExit(f"QEMU does not answer {command}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise SystemExit(f"QEMU refused {command} {arguments}: {answer['error']['desc']}")
        return answer["return"]

    def wait(self, event, since, wanted=lambda data: True):
        with self.changed:
            if not self.changed.wait_for(lambda: any(e["event"] == event and wanted(e.get("data", {})) for e in self.events[since:]), 90):
                raise SystemExit(f"QEMU did not say {event}; it said {[(e['event'], e.get('data')) for e in self.events[since:]][-12:]}")

    def pauses(self, since):
        """Seconds of each time between STOP and RESUME."""
        taken, stopped = [], None
        for event in list(self.events[since:]):
            at = event["timestamp"]["seconds"] + event["timestamp"]["microseconds"] / 1e6
            if event["event"] == "STOP":
                stopped = at
            elif event["event"] == "RESUME" and stopped is not None:
                taken.append(at - stopped)
                stopped = None
        return taken


class Machine:
    """One QEMU in the sandbox, with a tap on the LAN where it may speak."""

    def __init__(self, root, name, seed, disks, speaks, extra=()):
        self.root, self.name, self.inside = root, name, f"/bench/peers/{name}"
        self.at = root / self.inside.lstrip("/")
        self.at.mkdir(parents=True, exist_ok=True)
        self.tap = f"tap{name}"
        run("ip", "tuntap", "add", self.tap, "mode", "tap", "vnet_hdr")
        run("ip", "link", "set", self.tap, *(["master", LAN] if speaks else []), "up")
        shutil.copy(seed, self.at / "seed.iso")
        log = open(self.at / "qemu.log", "ab")
        self.process = subprocess.Popen(
            ["chroot", str(root), "/usr/bin/qemu-system-x86_64", *COMMON, "-qmp", f"unix:{self.inside}/qmp,server=on,wait=off", *disks(self),
             "-drive", f"if=none,id=seed,format=raw,readonly=on,file={self.inside}/seed.iso", "-device", "virtio-blk-pci,drive=seed",
             "-netdev", f"tap,id=hn0,ifname={self.tap},script=no,downscript=no,vhost=off",
             "-device", f"virtio-net-pci,id=e0,netdev=hn0,mac={MAC},romfile=", *extra],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.monitor = Monitor(self.at / "qmp")

    def alive(self):
        if self.process.poll() is not None:
            raise SystemExit(f"QEMU {self.name} ended:\n{(self.at / 'qemu.log').read_text()[-2000:]}")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return 0

    def chardev(self, name, path, server):
        address = {"type": "unix", "data": {"path": path}}
        data = {"addr": address, "server": server} | ({"wait": False} if server else {})
        self.monitor("chardev-add", id=name, backend={"type": "socket", "data": data})

    def end(self):
        self.process.kill()
        self.process.wait()
        subprocess.run(["ip", "link", "del", self.tap], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def image(root, name, source):
    at = root / "bench" / "peers" / name
    at.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, at / "disk.img")
    os.truncate(at / "disk.img", DISK_MIB << 20)


class Unprotected:
    """QEMU on a raw file."""

    def __init__(self, root, source, seed):
        shutil.rmtree(root / "bench" / "peers", ignore_errors=True)
        image(root, "u", source)
        self.root, self.seed = root, seed
        self.machines = []

    def start(self):
        forget_neighbour()
        self.machines = [Machine(self.root, "u", self.seed, lambda m: [
            "-drive", f"if=none,id=root,format=raw,file={m.inside}/disk.img", "-device", "virtio-blk-pci,drive=root,bootindex=1"], True)]
        ft_guest.await_boot(self.machines[0].alive)

    def cpu_seconds(self):
        return sum(machine.cpu_seconds() for machine in self.machines)

    def memory_mib(self):
        return sum(machine.memory_mib() for machine in self.machines)

    def end(self):
        for machine in self.machines:
            machine.end()


class PlainColo(Unprotected):
    """Two QEMUs as QEMU's own documentation joins them: a quorum with a replication child, every socket from one to the other."""

    def start(self):
        forget_neighbour()
        self.active = Machine(self.root, "u", self.seed, lambda m: [
            "-drive", "if=none,id=root,driver=quorum,read-pattern=fifo,vote-threshold=1,children.0.driver=raw,"
                      f"children.0.file.driver=file,children.0.file.filename={m.inside}/disk.img",
            "-device", "virtio-blk-pci,drive=root,bootindex=1"], True)
        self.machines = [self.active]
        ft_guest.await_boot(self.active.alive)
        # It writes nothing now: its disk is what it says.
        shutil.rmtree(self.root / "bench" / "peers" / "s", ignore_errors=True)
        image(self.root, "s", self.root / "bench" / "peers" / "u" / "disk.img")
        for overlay in ("active", "hidden"):
            run("chroot", str(self.root), "/usr/bin/qemu-img", "create", "-q", "-f", "qcow2", f"/bench/peers/s/{overlay}", str(DISK_MIB << 20))
        self.standby = Machine(self.root, "s", self.seed, lambda m: [
            "-drive", f"if=none,id=parent0,driver=raw,file.driver=file,file.filename={m.inside}/disk.img",
            "-drive", "if=none,id=childs0,driver=replication,mode=secondary,top-id=root,file.driver=qcow2,"
                      f"file.file.filename={m.inside}/active,file.backing.driver=qcow2,file.backing.file.filename={m.inside}/hidden,"
                      "file.backing.backing=parent0",
            "-drive", "if=none,id=root,driver=quorum,read-pattern=fifo,vote-threshold=1,children.0=childs0",
            "-device", "virtio-blk-pci,drive=root,bootindex=1"], False, ["-incoming", "defer"])
        self.machines.append(self.standby)
        self.protect()

    def protect(self, interval=500):
        at = self.standby.inside
        near, far = self.active.monitor, self.standby.monitor
        for name, path, server in (("mirror0", "mirror", True), ("compare1", "answers", True), ("compare0", "own", True), ("compare0-0", "own", False),
                                   ("compare_out", "out", True), ("compare_out0", "out", False)):
            self.active.chardev(name, f"{at}/{path}", server)
        self.standby.chardev("red0", f"{at}/mirror", False)
        self.standby.chardev("red1", f"{at}/answers", False)
        far("object-add", **{"qom-type": "filter-redirector", "id": "f1", "netdev": "hn0", "queue": "tx", "indev": "red0", **VNET})
        far("object-add", **{"qom-type": "filter-redirector", "id": "f2", "netdev": "hn0", "queue": "rx", "outdev": "red1", **VNET})
        far("object-add", **{"qom-type": "filter-rewriter", "id": "rew0", "netdev": "hn0", "queue": "all", **VNET})
        wanted = [{"capability": name, "state": True} for name in CAPABILITIES]
        far("migrate-set-capabilities", capabilities=[each for each in wanted if not each["capability"].startswith("pause")])
        far("nbd-server-start", addr={"type": "unix", "data": {"path": f"{at}/nbd"}})
        far("nbd-server-add", device="parent0", writable=True)
        far("migrate-incoming", uri=f"unix:{at}/ram")

        off = {"netdev": "hn0", "status": "off", **VNET}
        near("object-add", **{"qom-type": "filter-mirror", "id": "m0", "queue": "tx", "outdev": "mirror0", **off})
        near("object-add", **{"qom-type": "filter-redirector", "id": "redire0", "queue": "rx", "indev": "compare_out", **off})
        near("object-add", **{"qom-type": "filter-redirector", "id": "redire1", "queue": "rx", "outdev": "compare0", **off})
        near("object-add", **{"qom-type": "iothread", "id": "iothread1"})
        near("object-add", **{"qom-type": "colo-compare", "id": "comp0", "primary_in": "compare0-0", "secondary_in": "compare1", "outdev": "compare_out0",
                              "iothread": "iothread1", **VNET})
        near("migrate-set-capabilities", capabilities=wanted)
        near("migrate-set-parameters", **{"x-checkpoint-delay": 20, "downtime-limit": 0, "max-bandwidth": 10 << 30})
        since = len(near.events)
        near("migrate", uri=f"unix:{at}/ram")
        while True:
            state = near("query-migrate")
            memory = state.get("ram", {})
            if state.get("status") not in ("setup", "active") or memory.get("dirty-sync-count", 0) >= 2 and memory["remaining"] < STOP_BELOW:
                break
            time.sleep(0.005)
        near("stop")
        near("migrate-set-parameters", **{"downtime-limit": 2000})
        near.wait("MIGRATION", since, lambda data: data["status"] == "pre-switchover")
        near("human-monitor-command", **{"command-line": "drive_add -n buddy driver=replication,mode=primary,file.driver=nbd,file.server.type=unix,"
                                                         f"file.server.path={at}/nbd,file.export=parent0,node-name=repl0"})
        near("x-blockdev-change", parent="root", node="repl0")
        for name in ("m0", "redire0", "redire1"):
            near("qom-set", path=f"/objects/{name}", property="status", value="on")
        near("migrate-continue", state="pre-switchover")
        near.wait("RESUME", since)
        until("the first checkpoints", lambda: len(near.pauses(since)) > 2, self.active.alive)
        near("migrate-set-parameters", **{"x-checkpoint-delay": interval})

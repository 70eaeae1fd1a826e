"""Two hosts in name spaces of their own (network, processes, mounts), each with a mirror and QEMU as in a pod, on one LAN."""

import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request

import ft_guest

COPIES = ("a", "b")
MAC = "52:54:00:70:76:02"
MEMORY_MIB = 256
DISK_MIB = 192
INSIDE = "/bench/ft"
LAN = "brlan"
MIRROR = "brmir"
LIMIT = 120

NETWORK_DATA = f"version: 2\nethernets:\n  eth0:\n    addresses: [{ft_guest.ADDRESS}/24]\n"
USER_DATA = "#cloud-config\n# pairvm-guest: rate=0\n"


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def until(what, condition, alive=lambda: None, seconds=LIMIT):
    end = time.monotonic() + seconds
    while not condition():
        alive()
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.02)


def make_networks():
    for name in (LAN, MIRROR):
        run("ip", "link", "add", name, "type", "bridge", "forward_delay", "0")
        run("ip", "link", "set", name, "up")
    run("ip", "addr", "add", "10.8.0.1/24", "dev", LAN)
    run("ip", "addr", "add", "10.9.0.100/24", "dev", MIRROR)  # to read reports


def forget_neighbour():
    """The guest's address may sit behind another port now."""
    subprocess.run(["ip", "neigh", "del", ft_guest.ADDRESS, "dev", LAN], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


class Host:
    """One side: its name spaces live until end()."""

    def __init__(self, root, work, copy, number):
        self.root, self.work, self.copy = root, work, copy
        self.processes = []
        self.holder = subprocess.Popen(["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--propagation", "private", "sleep", "infinity"],
                                       stdin=subprocess.DEVNULL)
        until("a host's first process", self.init)
        self.pid = self.init()
        for outer, inner, bridge in ((f"lan{copy}", "lan0", LAN), (f"mir{copy}", "mir0", MIRROR)):
            run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", str(self.pid))
            run("ip", "link", "set", outer, "master", bridge, "up")
        self.inside("mount", "-t", "proc", "proc", f"{root}/proc")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "link", "set", "lan0", "up")
        self.inside("ip", "addr", "add", f"10.9.0.{number}/24", "dev", "mir0")
        self.inside("ip", "link", "set", "mir0", "up")
        self.address = f"10.9.0.{number}"

    def init(self):
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        # unshare forks once; until then its child is not there, and until the name spaces are made it is not another's
        if children and os.readlink(f"/proc/{children[0]}/ns/net") != os.readlink("/proc/self/ns/net"):
            return int(children[0])
        return None

    def entered(self, *command):
        return ["nsenter", "--target", str(self.pid), "--net", "--pid", "--mount", *command]

    def inside(self, *command):
        run(*self.entered(*command))

    def start(self, label, environment, *command):
        log = open(self.work / f"{self.copy}-{label}.log", "ab")
        process = subprocess.Popen(
            self.entered("chroot", str(self.root), "/usr/bin/env", *(f"{k}={v}" for k, v in environment.items()), *command),
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def boot(self):
        at = f"{INSIDE}/{self.copy}"
        self.start("qemu", {"PAIRVM_RUN": f"{at}/run"}, "/usr/bin/busybox", "sh", f"{INSIDE}/pairvm-launch")
        self.start("mirror", {"POD_IP": self.address, "PAIRVM_RUNNER": "true", "PAIRVM_ACCELERATOR": "tcg"}, "/usr/bin/pairvm-mirror", "run",
                   "--arbiter-file", f"{INSIDE}/lease.json", "--config", f"{at}/mirror.json", "--tls", f"{at}/tls", "--run-dir", f"{at}/run",
                   "--cloud-init", f"{at}/cloudinit")

    def all_pids(self):
        """Every process of the host, as seen from outside."""
        found = []
        space = os.readlink(f"/proc/{self.pid}/ns/pid")
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.readlink(entry / "ns" / "pid") == space:
                        found.append(int(entry.name))
                except OSError:
                    pass
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.all_pids():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        """Proportional share of the memory of all its processes."""
        total = 0
        for pid in self.all_pids():
            try:
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
            except OSError:
                pass
        return total / 1024

    def end(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.holder.kill()
        self.holder.wait()
        for process in self.processes:
            process.wait()
        for card in (f"lan{self.copy}", f"mir{self.copy}"):
            subprocess.run(["ip", "link", "del", card], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


class Pair:
    """A machine on two hosts, from its image until end(): the whole of it is laid out anew."""

    def __init__(self, root, layout, launcher, image, twin, checkpoint=None):
        self.root, self.twin = root, twin
        self.work = root / INSIDE.lstrip("/")
        shutil.rmtree(self.work, ignore_errors=True)
        run(str(layout), str(root), INSIDE, str(DISK_MIB << 20), *COPIES)
        shutil.copy(launcher, self.work / "pairvm-launch")
        for copy in COPIES:
            self.configure(copy, checkpoint or {"maxIntervalMillis": 500, "maxPauseMillis": 10000, "compareTimeoutMillis": 500})
        shutil.copy(image, self.work / "a" / "disk" / "disk.img")
        self.hosts = {copy: Host(root, self.work, copy, n + 1) for n, copy in enumerate(COPIES)}

    def configure(self, copy, checkpoint):
        at = self.work / copy
        (at / "overlays").mkdir()
        (at / "cloudinit").mkdir()
        (at / "cloudinit" / "user-data").write_text(USER_DATA)
        (at / "cloudinit" / "network-data").write_text(NETWORK_DATA)
        config = json.loads((at / "mirror.json").read_text())
        config["link"] = {"port": 7400, "interfaces": ["mir0"]}
        config["guest"] |= {
            "memoryMib": MEMORY_MIB, "cloudInit": True,
            "interfaces": [{"name": "lan", "mac": MAC, "binding": "BRIDGE", "podInterface": "lan0", "ports": []}]}
        config["twin"] = {"wished": self.twin, "checkpoint": checkpoint, "overlays": f"{INSIDE}/{copy}/overlays", "overlayBytes": 64 << 20}
        (at / "mirror.json").write_text(json.dumps(config))

    def start(self):
        forget_neighbour()
        for host in self.hosts.values():
            host.boot()
        until("the pair is in sync", lambda: '"a,b"' in (self.work / "lease.json").read_text(), self.alive)
        ft_guest.await_boot(self.alive)
        if self.twin:
            until("the twin runs", lambda: self.report().get("twin", {}).get("state") == "RUNNING", self.alive)

    def alive(self):
        for host in self.hosts.values():
            for process in host.processes:
                if process.poll() is not None:
                    raise SystemExit(f"a process of copy {host.copy} ended with status {process.returncode}\n{self.logs()}")

    def report(self, copy="a"):
        """What the copy's mirror says of itself, to the other copy."""
        papers = self.work / ("b" if copy == "a" else "a") / "tls"
        context = ssl.create_default_context(cafile=str(papers / "ca.crt"))
        context.check_hostname = False
        context.load_cert_chain(papers / "tls.crt", papers / "tls.key")
        with urllib.request.urlopen(f"https://{self.hosts[copy].address}:9443/v1/report", timeout=5, context=context) as answer:
            return json.loads(answer.read())

    def logs(self):
        return "\n".join(f"--- {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-25:]) for file in sorted(self.work.glob("*.log")))

    def end(self):
        for host in self.hosts.values():
            host.end()

"""Two hosts in name spaces of their own with a mirror each, two cables between them, and a guest that remembers what it was told."""

import json
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time

import nbd

COPIES = ("a", "b")
PATHS = ("mir0", "eth0")
MIB = 256
BLOCKS = (48 << 20) // nbd.BLOCK
RECOVER_SECONDS = 90


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Host:
    """A name space with two cables, and the mirror in it."""

    def __init__(self, world, copy, number):
        self.world, self.copy, self.number = world, copy, number
        self.process = None
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        time.sleep(0.2)  # until it has unshared; a cable can not be moved into our own name space again
        for path, card in enumerate(PATHS):
            outer = f"{card}{copy}"
            ip("link", "add", outer, "type", "veth", "peer", "name", "inner")
            ip("link", "set", "inner", "netns", str(self.holder.pid), "name", card)
            ip("link", "set", outer, "master", f"br{path}", "up")
            self.inside("ip", "addr", "add", f"10.9.{path}.{number}/24", "dev", card)
            self.inside("ip", "link", "set", card, "up")
        self.inside("ip", "link", "set", "lo", "up")

    def entered(self, *command):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *command]

    def inside(self, *command):
        subprocess.run(self.entered(*command), check=True)

    def cable(self, paths, state):
        for card in paths:
            ip("link", "set", f"{card}{self.copy}", state)

    def boot(self):
        self.cable(PATHS, "up")
        at = f"{self.world.inside}/{self.copy}"
        log = open(self.world.at / f"{self.copy}.log", "ab")
        self.process = subprocess.Popen(
            self.entered(
                "chroot", str(self.world.root), "/usr/bin/pairvm-mirror", "run", "--disks-only", "--arbiter-file", f"{self.world.inside}/lease.json",
                "--config", f"{at}/mirror.json", "--tls", f"{at}/tls", "--run-dir", f"{at}/run"),
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def children(self):
        try:
            return [int(pid) for pid in open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()]
        except OSError:
            return []

    def kill_process(self):
        """The mirror alone; the script that started it starts it again."""
        for pid in self.children():
            kill(pid)

    def crash(self):
        """The cables go first: a host that dies says no goodbye."""
        self.cable(PATHS, "down")
        children = self.children()
        kill(self.process.pid)
        for pid in children:
            kill(pid)
        self.process.wait()
        self.process = None

    def socket(self):
        return str(self.world.at / self.copy / "run" / "nbd.sock")

    def end(self):
        if self.process:
            self.crash()
        self.holder.kill()
        self.holder.wait()


def kill(pid):
    try:
        subprocess.os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class World:
    def __init__(self, root, layout, rng, depth=16):
        self.root, self.inside, self.rng, self.depth = root, "/bench/soak", rng, depth
        self.at = root / "bench" / "soak"
        shutil.rmtree(self.at, ignore_errors=True)
        subprocess.run([str(layout), str(root), self.inside, str(MIB << 20), *COPIES], check=True)
        for copy in COPIES:
            file = self.at / copy / "mirror.json"
            config = json.loads(file.read_text())
            config["link"] = {"port": 7400, "interfaces": list(PATHS)}
            file.write_text(json.dumps(config))
        for path in range(len(PATHS)):
            ip("link", "add", f"br{path}", "type", "bridge")
            ip("link", "set", f"br{path}", "up")
        self.hosts = {copy: Host(self, copy, n + 1) for n, copy in enumerate(COPIES)}
        self.ledger = nbd.Ledger(BLOCKS)
        self.guest = None
        self.guest_at = None
        self.failovers = 0
        self.gaps = []

    def lease(self):
        record = json.loads((self.at / "lease.json").read_text())
        return record["spec"]["holderIdentity"], set(record["metadata"]["annotations"]["pairvm.dev/in-sync"].split(","))

    def say(self, what):
        print(what, flush=True)

    def follow(self):
        """The guest is where the record says: killed where it was, started anew, its disk looked through first."""
        active, _ = self.lease()
        if active != self.guest_at:
            if self.guest:
                self.guest.stop(kill=True)
                self.failovers += 1
            self.look_through(active)
            self.start_guest(active)
        elif self.guest.failure:
            raise SystemExit(f"the guest's client failed: {self.guest.failure!r}")

    def look_through(self, copy):
        end = time.monotonic() + RECOVER_SECONDS
        while True:
            try:
                found = nbd.read_all(self.hosts[copy].socket(), BLOCKS)
            except OSError as e:
                if time.monotonic() > end:
                    raise SystemExit(f"copy {copy} could not be read for {RECOVER_SECONDS} s: {e}") from e
                time.sleep(0.05)
                continue
            if self.lease()[0] == copy:  # else it was read from a standby
                self.ledger.check(found, self.say)
                return
            copy = self.lease()[0]

    def start_guest(self, copy):
        self.guest_at = copy
        self.guest = nbd.Guest(self.hosts[copy].socket(), self.ledger, random.Random(self.rng.random()), self.depth)
        self.guest.start()

    def until(self, what, condition, seconds=RECOVER_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            self.follow()
            if time.monotonic() > end:
                raise SystemExit(f"waited {seconds} s in vain for: {what}; record {self.lease()}\n{self.logs()}")
            time.sleep(0.01)

    def whole(self):
        return self.lease()[1] == set(COPIES)

    def logs(self):
        return "\n".join(f"--- {copy}\n" + "\n".join((self.at / f"{copy}.log").read_text(errors="replace").splitlines()[-25:]) for copy in COPIES)

    def pass_time(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.follow()
            time.sleep(0.01)

    def longest_gap(self, since):
        return max((gap for at, gap in self.gaps if at >= since), default=0.0)

    def watch_gaps(self):
        """Longest times without an answer, by when they ended; a thread samples every 2 ms."""

        def sample():
            last = self.ledger.last_answer
            while True:
                time.sleep(0.002)
                now = self.ledger.last_answer
                if now - last > 0.05:
                    self.gaps.append((now, now - last))
                    del self.gaps[:-1000]
                last = now

        threading.Thread(target=sample, daemon=True).start()

    def compare_at_rest(self):
        """At the end both copies are read where they are: byte for byte the same, and what was acknowledged."""
        self.until("the pair is whole at the end", self.whole)
        self.guest.stop(kill=False)
        self.guest = None
        found = {}
        for copy in COPIES:
            found[copy] = nbd.read_all(self.hosts[copy].socket(), BLOCKS)
        different = sum(x != y for x, y in zip(found["a"], found["b"]))
        self.ledger.check(found[self.lease()[0]], self.say)
        return different


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

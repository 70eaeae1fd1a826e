"""Bringing a copy up to date: how fast beside a quiet guest, what it costs a busy one, and how much travels."""

import statistics
import threading
import time
import urllib.request

import disk
from servers import Mirrors

FOREGROUND_TARGET = 1.5  # 99th percentile of the guest's writes, of the usual one
WIRE_TARGET = 1.1  # of the bytes that differ
FLOOR = 10.0  # MB/s that go on whatever the guest does
PIECE = 4096
SCATTERED_WRITES = 3000
LONGEST = 600


def metric(port, name):
    """Sum of a family in a mirror's /metrics, by name and labels' beginning."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name) and not line.startswith("#"))


class Pair:
    """A pair whose copy b goes away and comes back."""

    def __init__(self, sandbox, mib):
        self.sandbox, self.mib = sandbox, mib
        self.mirrors = Mirrors(sandbox, "pair", mib, ["a", "b"], 18010)
        self.mirrors.start()
        disk.fill(sandbox, self.mirrors, mib)

    def in_sync(self):
        return '"a,b"' in self.sandbox.path("pair/lease.json").read_text()

    def lose(self, blank):
        self.sandbox.stop(self.mirrors.processes["b"])
        self.sandbox.until("a is alone", lambda: not self.in_sync())
        if blank:
            for file in self.sandbox.path("pair/b/disk").iterdir():
                file.unlink()

    def resyncing(self):
        return metric(self.mirrors.port, "pairvm_mirror_resync_pace{") > 0

    def back(self):
        self.mirrors.start_copy("b", 1)
        self.sandbox.until("a resync begins", lambda: self.resyncing() or self.in_sync())
        return time.monotonic()

    def whole(self):
        end = time.monotonic() + LONGEST
        while not self.in_sync():
            if time.monotonic() > end:
                raise SystemExit(f"not in sync after {LONGEST} s\n{self.sandbox.logs()}")
            time.sleep(0.01)
        return time.monotonic()

    def differing(self):
        """Bytes of pieces in which the two images differ."""
        count = 0
        with open(self.sandbox.path("pair/a/disk/disk.img"), "rb") as a, open(self.sandbox.path("pair/b/disk/disk.img"), "rb") as b:
            while True:
                one, two = a.read(1 << 20), b.read(1 << 20)
                if not one and not two:
                    return count
                if one != two:
                    count += sum(PIECE for at in range(0, len(one), PIECE) if one[at:at + PIECE] != two[at:at + PIECE])

    def write_p99(self, seconds):
        """99th percentile of 4k random writes at depth 1, microseconds."""
        job = disk.load(self.sandbox, self.mirrors, seconds, self.mib, ["--rw=randwrite", "--bs=4k", "--iodepth=1"])
        return job["write"]["clat_ns"]["percentile"]["99.000000"] / 1000


def row(name, unit, ours, peer, peer_name, ratio, bound, met):
    return {"shape": "resync", "metric": name, "unit": unit, "ours": round(ours, 2), "peer": None if peer is None else round(peer, 2),
            "peerName": peer_name, "ratio": None if ratio is None else round(ratio, 3), "target": bound, "met": met}


def measure(sandbox, options):
    pair = Pair(sandbox, options.mib)
    idle, ratios, base, during, busy = [], [], [], [], []
    for n in range(options.rounds):
        pair.lose(blank=True)
        began = pair.back()
        idle.append(options.mib * 2**20 / 1e6 / (pair.whole() - began))

        pair.lose(blank=False)
        disk.fio(sandbox, disk.nbd(sandbox, pair.mirrors), options.mib, ["--rw=randwrite", "--bs=4k", "--iodepth=16", f"--io_size={SCATTERED_WRITES * PIECE}"])
        differ = pair.differing()
        before = metric(pair.mirrors.port, "pairvm_mirror_link_bytes_total{")
        pair.back()
        pair.whole()
        time.sleep(2)  # the counters follow once a second
        wire = metric(pair.mirrors.port, "pairvm_mirror_link_bytes_total{") - before
        ratios.append((wire, differ))

        usual = pair.write_p99(2 * options.seconds)
        pair.lose(blank=True)
        began = pair.back()
        loaded = []
        ended = [None]
        watcher = threading.Thread(target=lambda: ended.__setitem__(0, pair.whole()), daemon=True)
        watcher.start()
        while ended[0] is None:  # a measurement that the resync's end falls into says nothing, unless it is the only one
            p99 = pair.write_p99(options.seconds)
            if ended[0] is None or not loaded:
                loaded.append(p99)
        watcher.join()
        base.append(usual)
        during.append(statistics.median(loaded))
        busy.append(options.mib * 2**20 / 1e6 / (ended[0] - began))
        print(f"round {n + 1}: idle {idle[-1]:,.0f} MB/s, wire/differing {wire / differ:.3f} of {differ:,}, p99 {usual:,.0f} -> {during[-1]:,.0f} µs, "
              f"busy {busy[-1]:,.0f} MB/s", flush=True)
    wire, differ = (statistics.median(column) for column in zip(*ratios))
    times = statistics.median(during) / statistics.median(base)
    speed = statistics.median(busy)
    return [
        row("whole copy, guest quiet", "MB/s", statistics.median(idle), None, "", None, None, None),
        row("bytes on the link, 4k differences", "KiB", wire / 1024, differ / 1024, "bytes that differ", wire / differ,
            f"≤ {WIRE_TARGET}", wire / differ <= WIRE_TARGET),
        row("99th percentile of the guest's writes", "µs", statistics.median(during), statistics.median(base), "the same in sync", times,
            f"≤ {FOREGROUND_TARGET}", times <= FOREGROUND_TARGET),
        row("whole copy, guest writes without a pause", "MB/s", speed, FLOOR, "floor", speed / FLOOR, "≥ 1", speed >= FLOOR),
    ]

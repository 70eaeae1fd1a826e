"""Disk shapes by fio's NBD engine over unix sockets: one copy beside nbdkit and qemu-nbd, a pair beside QEMU's quorum and mirror job."""

import json
import os
import statistics
import time

from peers import Nbdkit, QemuNbd, QemuPair, TcpNbdkit
from servers import EXPORT, Mirrors

# (name, fio's words)
SHAPES = [
    ("4k randwrite QD1", ["--rw=randwrite", "--bs=4k", "--iodepth=1"]),
    ("4k randwrite QD32", ["--rw=randwrite", "--bs=4k", "--iodepth=32"]),
    ("4k randread QD32", ["--rw=randread", "--bs=4k", "--iodepth=32"]),
    ("4k 70/30 mix QD16", ["--rw=randrw", "--rwmixread=70", "--bs=4k", "--iodepth=16"]),
    ("1M write QD8", ["--rw=write", "--bs=1M", "--iodepth=8"]),
    ("1M read QD8", ["--rw=read", "--bs=1M", "--iodepth=8"]),
    ("4k write+fsync QD1", ["--rw=randwrite", "--bs=4k", "--iodepth=1", "--fsync=1"]),
]
LATENCY, DURABLE = SHAPES[0][0], SHAPES[-1][0]
WARM_UP_SECONDS = 3
NBDKIT_TARGET = 0.9
QEMU_NBD_TARGET = 1.0
MIRRORED_TARGET = 1.15  # of the better of quorum and mirror
FLUSH_TARGET = 0.9  # of quorum's median flush; the mirror job does not flush its remote end
TLS_TARGET = 0.85  # of ours in the clear, at 4k
PERCENTILES = {"p50": "50.000000", "p99": "99.000000", "p99.9": "99.900000"}


def fio(sandbox, where, mib, words):
    """The job's part of fio's report."""
    text = sandbox.run("fio", "--name=x", "--output-format=json", *where, f"--size={mib}m", "--randrepeat=0", "--norandommap", *words)
    # notes of fio come before the report
    job = json.loads(text[text.index("{"):])["jobs"][0]
    if job["error"]:
        raise SystemExit(f"fio {' '.join(where)}: error {job['error']}\n{sandbox.logs()}")
    return job


def nbd(sandbox, server):
    return ["--ioengine=nbd", f"--uri=nbd+unix:///{EXPORT}?socket={sandbox.name(server.socket)}"]


def fill(sandbox, server, mib):
    """Every block written once."""
    fio(sandbox, nbd(sandbox, server), mib, ["--rw=write", "--bs=1M", "--iodepth=8", "--end_fsync=1"])


def load(sandbox, server, seconds, mib, words):
    return fio(sandbox, nbd(sandbox, server), mib, ["--time_based", f"--runtime={seconds}", *words])


def measure_one(sandbox, server, seconds, mib, words):
    """One measurement; metrics by name: (value, unit, higher is better)."""
    before = server.cpu_seconds()
    job = load(sandbox, server, seconds, mib, words)
    spent = server.cpu_seconds() - before
    sides = [side for side in (job["read"], job["write"]) if side["total_ios"]]
    if "--bs=1M" in words:
        metrics = {"throughput": (sum(side["bw_bytes"] for side in sides) / 2**20, "MiB/s", True)}
    else:
        metrics = {"operations": (sum(side["iops"] for side in sides), "/s", True)}
    latency = sides[-1]["clat_ns"].get("percentile", {})  # of a mix: the writes'
    for name, key in PERCENTILES.items():
        if key in latency:
            metrics[name] = (latency[key] / 1000, "µs", False)
    if "--fsync=1" in words:
        for name, key in PERCENTILES.items():
            metrics[f"flush {name}"] = (job["sync"]["lat_ns"]["percentile"][key] / 1000, "µs", False)
    metrics["processor"] = (spent / (sum(side["io_bytes"] for side in sides) / 2**30), "s/GiB", False)
    return metrics


def measure_limit(sandbox, local, remote, seconds, mib, words):
    """What no mirror can beat: the local write or flush, and the same at the peer and back, in µs: (local, peer)."""
    timed = ["--time_based", f"--runtime={seconds}"]
    here = fio(sandbox, ["--ioengine=psync", f"--filename={local}"], mib,
               timed + [word.replace("--fsync", "--fdatasync") for word in words])
    there = fio(sandbox, ["--ioengine=nbd", f"--uri={remote.uri}"], mib, timed + words)
    if "--fsync=1" in words:
        return tuple(job["sync"]["lat_ns"]["percentile"]["50.000000"] / 1000 for job in (here, there))
    return tuple(job["write"]["clat_ns"]["percentile"]["50.000000"] / 1000 for job in (here, there))


def spread(values):
    """Interquartile range."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low


def row(shape, kind, metric, ours, theirs, peer, bound):
    """Medians and interquartile ranges over the rounds; {@code bound} is for ours/peer."""
    mine, unit, higher = [v[0] for v in ours], *ours[0][1:]
    others = [v[0] for v in theirs]
    median, other = statistics.median(mine), statistics.median(others)
    ratio = median / other if other else None
    return {
        "shape": shape, "metric": f"{metric}, {kind}", "unit": unit,
        "ours": round(median, 2), "oursIqr": round(spread(mine), 2),
        "peer": round(other, 2), "peerIqr": round(spread(others), 2), "peerName": peer,
        "ratio": None if ratio is None else round(ratio, 3),
        "target": None if bound is None else f"{'≥' if higher else '≤'} {bound}",
        "met": None if bound is None or ratio is None else (ratio >= bound if higher else ratio <= bound),
    }


def versions(sandbox):
    return {
        "nbdkit": sandbox.run("nbdkit", "--version").split()[1],
        "QEMU": sandbox.run("qemu-nbd", "--version").split()[1],
        "fio": sandbox.run("fio", "--version").strip().removeprefix("fio-"),
        "Java": sandbox.run("/usr/lib/pairvm/jre/bin/java", "-version", errors=True).split('"')[1],
        "kernel": os.uname().release,
    }


def bound_of(metric, target):
    if metric in ("operations", "throughput"):
        return target
    return FLUSH_TARGET if metric == "flush p50" and target == MIRRORED_TARGET else None


def started(sandbox, server, mib, optional):
    """Starts, fills and warms up, so that the first round is like the others. False where an optional one does not work here."""
    print(f"{server.label}: starting, filling, warming up", flush=True)
    try:
        server.start()
        fill(sandbox, server, mib)
        seconds = WARM_UP_SECONDS if isinstance(server, Mirrors) else 1
        for _, words in SHAPES[1:3]:
            load(sandbox, server, seconds, mib, words)
        return True
    except SystemExit as e:
        if not optional:
            raise
        print(f"{server.label}: does not work here, left out: {str(e).splitlines()[0]}", flush=True)
        sandbox.forget_ended()
        return False


def servers(sandbox, mib, known):
    """Ours by name, and the peers: name -> (server, what to call it, which of ours, target, optional)."""
    ours = {
        "one copy": Mirrors(sandbox, "one-copy", mib, ["a"], 18000),
        "mirrored": Mirrors(sandbox, "pair", mib, ["a", "b"], 18010),
    }
    nbdkit, qemu = f"nbdkit {known['nbdkit']}", f"QEMU {known['QEMU']}"
    plain = Mirrors(sandbox, "pair-plain", mib, ["a", "b"], 18020, ["--plain-link"])
    peers = {
        "nbdkit": (Nbdkit(sandbox, "nbdkit", mib), f"{nbdkit} file", "one copy", NBDKIT_TARGET, False),
        "qemu-nbd": (QemuNbd(sandbox, "qemu-nbd", mib, "--cache=writeback"), f"{qemu} nbd writeback", "one copy", QEMU_NBD_TARGET, False),
        "qemu-nbd-native": (QemuNbd(sandbox, "qemu-nbd-native", mib, "--cache=none", "--aio=native"), f"{qemu} nbd none, native", "one copy", None, True),
        "qemu-nbd-uring": (QemuNbd(sandbox, "qemu-nbd-uring", mib, "--cache=none", "--aio=io_uring"), f"{qemu} nbd none, io_uring", "one copy", None, True),
        "plain": (plain, "ours, link in the clear", "mirrored", TLS_TARGET, False),
        "quorum": (QemuPair(sandbox, "quorum", mib, "quorum", "tcp", 19200), f"{qemu} quorum", "mirrored", MIRRORED_TARGET, False),
        "quorum-tls": (QemuPair(sandbox, "quorum-tls", mib, "quorum", "tls", 19201), f"{qemu} quorum, TLS", "mirrored", MIRRORED_TARGET, False),
        "quorum-unix": (QemuPair(sandbox, "quorum-unix", mib, "quorum", "unix"), f"{qemu} quorum, unix socket", "mirrored", MIRRORED_TARGET, False),
        "mirror": (QemuPair(sandbox, "mirror", mib, "mirror", "tcp", 19202), f"{qemu} mirror job", "mirrored", MIRRORED_TARGET, False),
        "mirror-unix": (QemuPair(sandbox, "mirror-unix", mib, "mirror", "unix"), f"{qemu} mirror job, unix socket", "mirrored", MIRRORED_TARGET, False),
    }
    return ours, peers


def measure(sandbox, options):
    known = versions(sandbox)
    print(", ".join(f"{name} {version}" for name, version in known.items()), flush=True)
    ours, peers = servers(sandbox, options.mib, known)
    if options.only:
        peers = {name: peers[name] for name in options.only.split(",")}
    mine = {name: server for name, server in ours.items() if any(p[2] == name for p in peers.values())}
    for server in mine.values():
        started(sandbox, server, options.mib, False)
    peers = {name: peer for name, peer in peers.items() if started(sandbox, peer[0], options.mib, peer[4])}
    limits = Limits(sandbox, options.mib) if "mirrored" in mine else None
    results = {}
    running = list(mine.values()) + [p[0] for p in peers.values()]
    for n in range(options.rounds):
        order = running[n % len(running):] + running[:n % len(running)]
        for shape, words in SHAPES:
            for server in order:
                os.sync()  # one server's dirty pages are not the next one's burden
                time.sleep(0.1)
                metrics = measure_one(sandbox, server, options.seconds, options.mib, words)
                for metric, value in metrics.items():
                    results.setdefault((shape, server.label, metric), []).append(value)
                line = ", ".join(f"{metric} {value:,.1f} {unit}" for metric, (value, unit, _) in metrics.items())
                print(f"round {n + 1}: {shape:20} {server.label:16} {line}", flush=True)
            if limits and shape in (LATENCY, DURABLE):
                limits.measure(shape, options.seconds, words)
    return compared(results, mine, peers) + (limits.rows(results, mine["mirrored"]) if limits else [])


def compared(results, mine, peers):
    rows = []
    for shape, words in SHAPES:
        for kind, ours in mine.items():
            rivals = {name: peer for name, peer in peers.items() if peer[2] == kind}
            for metric in [m for (s, label, m) in results if s == shape and label == ours.label]:
                own = results[shape, ours.label, metric]
                for server, name, _, target, _ in rivals.values():
                    bound = bound_of(metric, target)
                    if target == TLS_TARGET and "--bs=4k" not in words:
                        bound = None
                    if shape == DURABLE and getattr(server, "kind", "") == "mirror":
                        if metric.startswith("flush"):
                            continue  # its remote end is not flushed: another promise
                        bound = None
                    rows.append(row(shape, kind, metric, own, results[shape, server.label, metric], name, bound))
                if kind == "mirrored" and metric in ("operations", "throughput"):
                    rows += best(shape, kind, metric, own, results, rivals)
    return rows


def best(shape, kind, metric, own, results, rivals):
    """Ours beside the fastest of QEMU's ways to mirror."""
    qemus = [(results[shape, p[0].label, metric], p[1]) for p in rivals.values()
             if isinstance(p[0], QemuPair) and (shape != DURABLE or p[0].kind == "quorum")]
    if len(qemus) < 2:
        return []
    fastest, name = max(qemus, key=lambda each: statistics.median(v[0] for v in each[0]))
    return [row(shape, kind, metric, own, fastest, f"best of {len(qemus)}: {name}", MIRRORED_TARGET)]


class Limits:
    """What storage and loop-back allow: max(local, round trip + peer). A mirror adds its own hop from the guest, and its work."""

    def __init__(self, sandbox, mib):
        self.sandbox, self.mib, self.found = sandbox, mib, {}
        self.local = sandbox.blank("limit.img", mib)
        self.remote = TcpNbdkit(sandbox, "limit", mib, 19210)
        self.remote.start()
        fio(sandbox, ["--ioengine=psync", f"--filename={self.local}"], mib, ["--rw=write", "--bs=1M", "--end_fsync=1"])
        fio(sandbox, ["--ioengine=nbd", f"--uri={self.remote.uri}"], mib, ["--rw=write", "--bs=1M", "--iodepth=8", "--end_fsync=1"])

    def measure(self, shape, seconds, words):
        os.sync()
        time.sleep(0.1)
        here, there = measure_limit(self.sandbox, self.local, self.remote, seconds, self.mib, words)
        self.found.setdefault(shape, []).append((here, there))
        print(f"limit:   {shape:20} local {here:,.1f} µs, round trip and peer {there:,.1f} µs", flush=True)

    def rows(self, results, pair):
        rows = []
        for shape, found in self.found.items():
            here, there = (statistics.median(values) for values in zip(*found))
            metric = "flush p50" if shape == DURABLE else "p50"
            theirs = [(max(pairs), "µs", False) for pairs in found]
            name = f"limit: max(local {here:.0f}, round trip + peer {there:.0f})"
            rows.append(row(shape, "mirrored", metric, results[shape, pair.label, metric], theirs, name, None))
        return rows

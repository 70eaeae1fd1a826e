"""Disk shapes by fio's NBD engine over unix sockets: one copy beside nbdkit and qemu-nbd, a pair beside QEMU's quorum."""

import json
import os
import statistics
import time

from servers import EXPORT, Mirrors, Nbdkit, QemuNbd, Quorum

# (name, fio's words)
SHAPES = [
    ("4k randwrite QD1", ["--rw=randwrite", "--bs=4k", "--iodepth=1"]),
    ("4k randwrite QD32", ["--rw=randwrite", "--bs=4k", "--iodepth=32"]),
    ("4k randread QD32", ["--rw=randread", "--bs=4k", "--iodepth=32"]),
    ("1M write QD8", ["--rw=write", "--bs=1M", "--iodepth=8"]),
    ("4k write+fsync QD1", ["--rw=randwrite", "--bs=4k", "--iodepth=1", "--fsync=1"]),
]
WARM_UP_SECONDS = 3
SINGLE_TARGET = 0.9  # of nbdkit's figure
MIRRORED_TARGET = 1.15  # of quorum's figure
FLUSH_TARGET = 0.9  # of quorum's median flush


def run_fio(sandbox, server, mib, words):
    """The job's part of fio's report."""
    text = sandbox.run(
        "fio", "--name=x", "--output-format=json", "--ioengine=nbd", f"--uri=nbd+unix:///{EXPORT}?socket={sandbox.name(server.socket)}",
        f"--size={mib}m", "--randrepeat=0", "--norandommap", *words)
    # notes of fio come before the report
    job = json.loads(text[text.index("{"):])["jobs"][0]
    if job["error"]:
        raise SystemExit(f"fio against {server.label}: error {job['error']}\n{sandbox.logs()}")
    return job


def fill(sandbox, server, mib):
    """Every block written once."""
    run_fio(sandbox, server, mib, ["--rw=write", "--bs=1M", "--iodepth=8", "--end_fsync=1"])


def fio(sandbox, server, seconds, mib, words):
    """One measurement; metrics by name: (value, unit, higher is better)."""
    job = run_fio(sandbox, server, mib, ["--time_based", f"--runtime={seconds}", *words])
    side = job["read" if "read" in words[0] else "write"]
    if "--bs=1M" in words:
        return {"throughput": (side["bw_bytes"] / 2**20, "MiB/s", True)}
    metrics = {"operations": (side["iops"], "/s", True)}
    latency = side["clat_ns"].get("percentile", {})
    if latency:
        metrics["p99"] = (latency["99.000000"] / 1000, "µs", False)
    if "--fsync=1" in words:
        metrics["flush p50"] = (job["sync"]["lat_ns"]["percentile"]["50.000000"] / 1000, "µs", False)
    return metrics


def versions(sandbox):
    return {
        "nbdkit": sandbox.run("nbdkit", "--version").split()[1],
        "qemu": sandbox.run("qemu-nbd", "--version").split()[1],
    }


def row(shape, kind, metric, ours, theirs, peer, target):
    """Medians over the rounds; a target is a bound on ours/peer."""
    mine, unit, higher = statistics.median(v[0] for v in ours), *ours[0][1:]
    other = statistics.median(v[0] for v in theirs)
    ratio = mine / other
    bound = target if metric in ("operations", "throughput") else FLUSH_TARGET if metric == "flush p50" and target == MIRRORED_TARGET else None
    return {
        "shape": shape, "metric": f"{metric}, {kind}", "unit": unit, "ours": round(mine, 2), "peer": round(other, 2), "peerName": peer,
        "ratio": round(ratio, 3), "target": None if bound is None else f"{'≥' if higher else '≤'} {bound}",
        "met": None if bound is None else (ratio >= bound if higher else ratio <= bound),
    }


def measure(sandbox, options):
    known = versions(sandbox)
    alone = Mirrors(sandbox, "one-copy", options.mib, ["a"], 18000)
    pair = Mirrors(sandbox, "pair", options.mib, ["a", "b"], 18010)
    # (server, the name to show, what of ours it is compared with, target)
    peers = {
        "nbdkit": (Nbdkit(sandbox, "nbdkit", options.mib), f"nbdkit {known['nbdkit']} file", alone, SINGLE_TARGET),
        "qemu-nbd": (QemuNbd(sandbox, "qemu-nbd", options.mib), f"qemu-nbd {known['qemu']} writeback", alone, None),
        "quorum": (Quorum(sandbox, "quorum", options.mib, 19200), f"QEMU {known['qemu']} quorum", pair, MIRRORED_TARGET),
        "quorum-tls": (Quorum(sandbox, "quorum-tls", options.mib, 19201, tls=True), f"QEMU {known['qemu']} quorum, TLS", pair, MIRRORED_TARGET),
    }
    if options.only:
        peers = {name: peers[name] for name in options.only.split(",")}
    servers = [s for s in (alone, pair) if any(p[2] is s for p in peers.values())] + [p[0] for p in peers.values()]
    results = {}
    for server in servers:
        # so that the first round is like the others
        print(f"{server.label}: starting, filling, warming up", flush=True)
        server.start()
        fill(sandbox, server, options.mib)
        for _, words in SHAPES[1:3]:
            fio(sandbox, server, WARM_UP_SECONDS, options.mib, words)
    for n in range(options.rounds):
        order = servers[n % len(servers):] + servers[:n % len(servers)]
        for shape, words in SHAPES:
            for server in order:
                os.sync()  # one server's dirty pages are not the next one's burden
                time.sleep(0.1)
                metrics = fio(sandbox, server, options.seconds, options.mib, words)
                for metric, value in metrics.items():
                    results.setdefault((shape, server.label, metric), []).append(value)
                line = ", ".join(f"{metric} {value:,.1f} {unit}" for metric, (value, unit, _) in metrics.items())
                print(f"round {n + 1}: {shape:20} {server.label:12} {line}", flush=True)
    rows = []
    for shape, _ in SHAPES:
        for server, name, ours, target in peers.values():
            kind = "one copy" if ours is alone else "mirrored"
            for metric in [m for (s, label, m) in results if s == shape and label == server.label]:
                rows.append(row(shape, kind, metric, results[shape, ours.label, metric], results[shape, server.label, metric], name, target))
    return rows

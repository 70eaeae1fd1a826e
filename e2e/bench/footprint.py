"""What one mirror process costs: time until it serves, memory, processor time while idle; and whether it grows under a long load."""

import os
import statistics
import time
import urllib.request

import disk
from servers import Mirrors

READY_SECONDS = 0.5
RESIDENT_MIB = 96
IDLE_PERCENT = 0.5
IDLE_SECONDS = 10
STARTS = 5
# The compilers are done with what starts a pair, and their memory is given back.
SETTLE_SECONDS = 15
# Of a long load: what was most in its last third may be so much above what was most in its second.
GROWTH = 1.05
GROWTH_SLACK = {"resident": 2.0, "open files": 1, "heap in use": 4.0, "direct memory": 1.0}


def jvm(process):
    """The mirror is the child of the script that starts it again when it is killed."""
    children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
    return children[0] if children else process.pid


def resident_mib(process, what="VmRSS"):
    """VmRSS: all of it. RssAnon: without what files back and other mirrors of the node share."""
    for line in open(f"/proc/{jvm(process)}/status"):
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the mirror ended")


def cpu_seconds(process):
    fields = open(f"/proc/{jvm(process)}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def metric(port, name):
    """A figure of the mirror's own /metrics, in MiB."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1]) / 2**20
    raise SystemExit(f"/metrics has no {name}")


def state(process, port):
    """What must not grow: (MiB or a count) by name."""
    return {
        "resident": resident_mib(process),
        "open files": len(os.listdir(f"/proc/{jvm(process)}/fd")),
        "heap in use": metric(port, 'jvm_memory_bytes_used{area="heap",}'),
        "direct memory": metric(port, "pairvm_mirror_direct_memory_bytes"),
    }


def long_load(sandbox, pair, options):
    """Every shape in turn for so many minutes; rows that say whether the last third stayed at what the second was."""
    end = time.monotonic() + options.minutes * 60
    seen = {copy: [] for copy in pair.copies}
    while time.monotonic() < end:
        for _, words in disk.SHAPES:
            disk.load(sandbox, pair, options.seconds, options.mib, words)
            for i, copy in enumerate(pair.copies):
                seen[copy].append(state(pair.processes[copy], pair.port + i))
    rows = []
    for copy, states in seen.items():
        third = len(states) // 3
        if third == 0:
            raise SystemExit("too few minutes: not every third had a load")
        for name, slack in GROWTH_SLACK.items():
            before = max(each[name] for each in states[third:2 * third])
            after = max(each[name] for each in states[2 * third:])
            most = before * GROWTH + slack
            rows.append(row(f"{name} after {options.minutes:g} min of load, {'active' if copy == 'a' else 'standby'}",
                            "" if name == "open files" else "MiB", after, round(most, 1)))
    return rows


def row(metric, unit, value, target):
    return {"shape": "footprint", "metric": metric, "unit": unit, "ours": round(value, 3), "peer": None, "peerName": "budget", "ratio": None,
            "target": None if target is None else f"≤ {target}", "met": None if target is None else value <= target}


def measure(sandbox, options):
    times = []
    for n in range(STARTS):
        mirror = Mirrors(sandbox, f"start-{n}", options.mib, ["a"])
        before = time.monotonic()
        process = mirror.start_copy("a")
        sandbox.until("the mirror serves", mirror.ready)
        times.append(time.monotonic() - before)
        print(f"start {n + 1}: serves after {times[-1] * 1000:.0f} ms, {resident_mib(process):.1f} MiB resident", flush=True)
        sandbox.stop(process)
    pair = Mirrors(sandbox, "pair", options.mib, ["a", "b"])
    pair.start()
    process = pair.processes["a"]
    time.sleep(SETTLE_SECONDS)
    fresh, own = resident_mib(process), resident_mib(process, "RssAnon")
    began = cpu_seconds(process)
    time.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(process) - began) / IDLE_SECONDS * 100
    disk.fill(sandbox, pair, options.mib)
    for _, words in disk.SHAPES:
        disk.load(sandbox, pair, options.seconds, options.mib, words)
    loaded = {copy: resident_mib(p) for copy, p in pair.processes.items()}
    return [
        row("exec to serving, median", "s", statistics.median(times), READY_SECONDS),
        row("resident, in sync and idle", "MiB", fresh, RESIDENT_MIB),
        row("of that its own, backed by no file", "MiB", own, None),
        row("resident after load, active", "MiB", loaded["a"], RESIDENT_MIB),
        row("resident after load, standby", "MiB", loaded["b"], RESIDENT_MIB),
        row("processor while idle", "% of a core", idle, IDLE_PERCENT),
    ] + (long_load(sandbox, pair, options) if options.minutes else [])

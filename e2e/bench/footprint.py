"""What one mirror process costs: time until it serves, resident memory, processor time while idle."""

import os
import statistics
import time

import disk
from servers import Mirrors

READY_SECONDS = 0.5
RESIDENT_MIB = 96
IDLE_PERCENT = 0.5
IDLE_SECONDS = 10
STARTS = 5


def jvm(process):
    """The mirror is the child of the script that starts it again when it is killed."""
    children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
    return children[0] if children else process.pid


def resident_mib(process):
    for line in open(f"/proc/{jvm(process)}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the mirror ended")


def cpu_seconds(process):
    fields = open(f"/proc/{jvm(process)}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
    time.sleep(2)
    fresh = resident_mib(process)
    began = cpu_seconds(process)
    time.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(process) - began) / IDLE_SECONDS * 100
    disk.fill(sandbox, pair, options.mib)
    for _, words in disk.SHAPES:
        disk.fio(sandbox, pair, options.seconds, options.mib, words)
    loaded = {copy: resident_mib(p) for copy, p in pair.processes.items()}
    return [
        row("exec to serving, median", "s", statistics.median(times), READY_SECONDS),
        row("resident, in sync and idle", "MiB", fresh, RESIDENT_MIB),
        row("resident after load, active", "MiB", loaded["a"], RESIDENT_MIB),
        row("resident after load, standby", "MiB", loaded["b"], RESIDENT_MIB),
        row("processor while idle", "% of a core", idle, IDLE_PERCENT),
    ]

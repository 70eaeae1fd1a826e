"""What the levels cost a guest, beside no protection and beside QEMU's COLO without us. Started by bench.sh ft."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import time

import ft_guest
import ft_peers
from bench import table
from ft_hosts import Pair, make_networks

TARGET_OF_COLO = 0.9
IDLE_SECONDS = 5
LEVELS = ("unprotected", "level 2", "level 3", "plain COLO")
PRICES = {"memory of all processes": "MiB", "processors while idle": "%"}
DIRTY_MIB_PER_S = (0, 5, 20)
INTERVALS_MS = (100, 500)
FILL_MIB = 64


class Ours(Pair):
    """A pair at level 2 or 3, measured like its peers."""

    def cpu_seconds(self):
        return sum(host.cpu_seconds() for host in self.hosts.values())

    def memory_mib(self):
        return sum(host.memory_mib() for host in self.hosts.values())


def contender(level, options, seed):
    if level == "unprotected":
        return ft_peers.Unprotected(options.root, options.image, seed)
    if level == "plain COLO":
        return ft_peers.PlainColo(options.root, options.image, seed)
    return Ours(options.root, options.layout, options.launcher, options.image, level == "level 3")


def one(level, options, seed):
    """Boots it, measures, ends it."""
    here = contender(level, options, seed)
    try:
        here.start()
        if not seed.exists():
            shutil.copy(here.work / "a" / "run" / "cidata.iso", seed)
        found = {metric: value for metric, (_, value) in ft_guest.measure(options.seconds).items()}
        time.sleep(2)
        before = here.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        found["processors while idle"] = (here.cpu_seconds() - before) / IDLE_SECONDS * 100
        found["memory of all processes"] = here.memory_mib()
        return found
    except SystemExit as e:
        raise SystemExit(f"{level}: {e}") from e
    finally:
        here.end()


def checkpoints(options):
    """Pauses by dirty rate and interval, one pair for all."""
    rows = []
    for interval in INTERVALS_MS:
        here = Ours(options.root, options.layout, options.launcher, options.image, True,
                    {"maxIntervalMillis": interval, "maxPauseMillis": 10000, "compareTimeoutMillis": 500})
        try:
            here.start()
            ft_guest.ask(f"fill {FILL_MIB}")
            for dirty in DIRTY_MIB_PER_S:
                ft_guest.ask(f"dirty {dirty}")
                time.sleep(2)
                before = here.report()["twin"]
                time.sleep(options.seconds * 2)
                after = here.report()["twin"]
                count = after["checkpoints"] - before["checkpoints"]
                pause = (after["totalPauseMicros"] - before["totalPauseMicros"]) / max(count, 1)
                rows.append(row(f"checkpoint pause, every {interval} ms, {dirty} MiB/s dirty ({count} taken)", "ms", pause / 1000, None, "", None))
        finally:
            here.end()
    return rows


def row(metric, unit, ours, peer, peer_name, target, iqr=None, peer_iqr=None):
    ratio = ours / peer if peer else None
    return {"shape": "ft", "metric": metric, "unit": unit, "ours": round(ours, 2), "oursIqr": iqr, "peer": None if peer is None else round(peer, 2),
            "peerIqr": peer_iqr, "peerName": peer_name, "ratio": None if ratio is None else round(ratio, 3),
            "target": None if target is None else f"≥ {target}", "met": None if target is None or ratio is None else ratio >= target}


def spread(values):
    if len(values) < 3:
        return None
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def rows_of(found, units):
    """Each level beside no protection; level 3 beside plain COLO as well."""
    rows = []
    for metric, unit in units.items():
        def of(level, metric=metric):
            return [round_[metric] for round_ in found.get(level, [])]

        def add(level, peer, target, metric=metric, unit=unit, of=of):
            ours, theirs = of(level), of(peer)
            if ours and theirs:
                rows.append(row(f"{metric}: {level}", unit, statistics.median(ours), statistics.median(theirs), peer, target, spread(ours), spread(theirs)))

        faster = unit in ("1/s", "MB/s")
        add("level 2", "unprotected", None)
        add("level 3", "unprotected", None)
        add("plain COLO", "unprotected", None)
        add("level 3", "plain COLO", TARGET_OF_COLO if faster else None)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--layout", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--image", required=True, type=pathlib.Path, help="disk of the test guest")
    parser.add_argument("--launcher", required=True, type=pathlib.Path, help="what starts QEMU in a pod")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the median counts (default 3)")
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement (default 5)")
    parser.add_argument("--only", default=",".join(LEVELS), help=f"of {', '.join(LEVELS)}; level 2 is always among them")
    options = parser.parse_args()
    make_networks()
    seed = options.root / "bench" / "seed.iso"
    seed.unlink(missing_ok=True)
    # Level 2 first: its mirror makes the seed that the peers' guest gets, too.
    levels = ["level 2"] + [level for level in options.only.split(",") if level != "level 2"]
    found, started = {}, time.monotonic()
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        print(f"NOTE: this machine is busy (load {load:.1f} on {cores} cores): the figures say little", flush=True)
    for n in range(options.rounds):
        for level in levels:
            values = one(level, options, seed)
            found.setdefault(level, []).append(values)
            print(f"round {n + 1}, {level}: " + ", ".join(f"{metric} {value:,.1f}" for metric, value in values.items()), flush=True)
    units = {"round trip, p50": "µs", "round trip, p99": "µs", "requests a second, 8 connections": "1/s", "bulk TCP, there and back": "MB/s",
             "4k write and flush": "1/s", "4k writes, 32 to a flush": "1/s"} | PRICES
    rows = rows_of(found, units)
    if "level 3" in levels:
        rows += checkpoints(options)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ft.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    print(f"\n{len(rows)} rows in {options.out / 'ft.json'}, {sum(r['met'] is False for r in rows)} targets missed, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Kills a pair of mirrors in every way, again and again, under a guest that remembers each acknowledged write. Started by bench.sh soak."""

import argparse
import json
import pathlib
import random
import shutil
import statistics
import sys
import time

from world import COPIES, PATHS, World, percentile

KINDS = {
    # name: weight
    "process of the active": 4,
    "process of the standby": 3,
    "both processes": 1,
    "node of the active": 4,
    "node of the standby": 3,
    "both nodes": 1,
    "link, both paths": 3,
    "link, one path": 2,
}


class Soak(World):
    def __init__(self, root, layout, rng):
        super().__init__(root, layout, rng)
        self.kills = dict.fromkeys(KINDS, 0)
        self.pauses = {kind: [] for kind in KINDS}

    def strike(self, kind):
        active, _ = self.lease()
        standby = next(copy for copy in COPIES if copy != active)
        a, b = self.hosts[active], self.hosts[standby]
        away = self.rng.uniform(0.1, 2.5)
        before = self.ledger.writes
        self.kills[kind] += 1
        began = time.monotonic()
        match kind:
            case "process of the active":
                a.kill_process()
            case "process of the standby":
                b.kill_process()
            case "both processes":
                a.kill_process()
                b.kill_process()
            case "node of the active":
                a.crash()
                self.pass_time(away)
                a.boot()
            case "node of the standby":
                b.crash()
                self.pass_time(away)
                b.boot()
            case "both nodes":
                a.crash()
                b.crash()
                self.pass_time(away)
                for host in self.rng.sample([a, b], 2):
                    host.boot()
            case "link, both paths":
                b.cable(PATHS, "down")
                self.pass_time(away)
                b.cable(PATHS, "up")
            case "link, one path":
                card = self.rng.choice(PATHS)
                b.cable([card], "down")
                self.pass_time(away)
                b.cable([card], "up")
        self.until(f"writes go on after: {kind}", lambda: self.ledger.writes > before + 64)
        self.pauses[kind].append(self.longest_gap(began))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--layout", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="leave the mirrors' logs and disks")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"soak of {options.minutes:g} minutes, seed {options.seed} (the order of kills; times are the machine's)", flush=True)
    world = Soak(options.root, options.layout, rng)
    world.watch_gaps()
    began = time.monotonic()
    told = began
    try:
        for host in world.hosts.values():
            host.boot()
        world.look_through("a")
        world.start_guest("a")
        world.until("the pair is whole", world.whole)
        while time.monotonic() - began < options.minutes * 60:
            world.strike(rng.choices(list(KINDS), list(KINDS.values()))[0])
            if rng.random() < 0.8:
                world.until("the pair is whole again", world.whole)
            world.pass_time(rng.uniform(0.05, 0.8))
            if time.monotonic() - told > 30:
                told = time.monotonic()
                kills = sum(world.kills.values())
                print(f"{told - began:5.0f} s: {world.ledger.writes:,} writes, {kills} kills, {world.failovers} failovers, "
                      f"{world.ledger.lost} lost, {world.ledger.reordered} reordered", flush=True)
        different = world.compare_at_rest()
    finally:
        for host in world.hosts.values():
            host.end()
    ledger = world.ledger
    rows = []
    print(f"\n{'kill':24} {'times':>6} {'pause p50':>10} {'p99':>8} {'max':>8}")
    for kind, pauses in world.pauses.items():
        if pauses:
            print(f"{kind:24} {world.kills[kind]:6} {statistics.median(pauses):9.2f}s {percentile(pauses, 0.99):7.2f}s {max(pauses):7.2f}s")
            for metric, value in (("p50", statistics.median(pauses)), ("p99", percentile(pauses, 0.99)), ("max", max(pauses))):
                rows.append({"shape": "soak", "metric": f"pause {metric}, {kind}", "unit": "s", "ours": round(value, 3), "peer": None,
                             "peerName": "", "ratio": None, "target": None, "met": None})
    wrong = {"lost": ledger.lost, "reordered": ledger.reordered, "errors": ledger.errors, "blocks that differ": different}
    rows += [{"shape": "soak", "metric": name, "unit": "writes", "ours": value, "peer": None, "peerName": "", "ratio": None, "target": "0",
              "met": value == 0} for name, value in wrong.items()]
    rows += [{"shape": "soak", "metric": name, "unit": "", "ours": value, "peer": None, "peerName": "", "ratio": None, "target": None, "met": None}
             for name, value in (("acknowledged writes", ledger.writes), ("kills", sum(world.kills.values())), ("failovers", world.failovers))]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "soak.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\n{ledger.writes:,} acknowledged writes, {sum(world.kills.values())} kills, {world.failovers} failovers: "
          + ", ".join(f"{value} {name}" for name, value in wrong.items()) + f"; seed {options.seed}")
    if any(wrong.values()):
        print(f"logs are in {world.at}", file=sys.stderr)
        return 1
    if options.keep:
        print(f"logs are in {world.at}")
        return 0
    shutil.rmtree(world.at, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

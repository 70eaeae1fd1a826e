"""How long the guest waits when a mirror or its host is killed: many kills of one kind, and the distribution. Started by bench.sh kills."""

import argparse
import json
import pathlib
import random
import shutil
import statistics
import sys
import threading
import time

import nbd
from world import BLOCKS, COPIES, World, percentile

# Of blocks that the guest's ledger does not know, so that whoever is asked may write them.
PROBE_OFFSET = BLOCKS * nbd.BLOCK
PAUSE_P99_SECONDS = 0.4


class Probe(threading.Thread):
    """Asks a standby to write, again and again, until it is the active and does: when that was."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.served_at = None
        self.over = False

    def run(self):
        while not self.over and self.served_at is None:
            try:
                sock = nbd.connect(self.path)
            except OSError:
                time.sleep(0.002)
                continue
            try:
                sock.settimeout(30)
                sock.sendall(nbd.REQUEST.pack(0x25609513, 0, nbd.WRITE, 1, PROBE_OFFSET, nbd.BLOCK) + bytes(nbd.BLOCK))
                _, error, _ = nbd.REPLY.unpack(nbd.exactly(sock, nbd.REPLY.size))
                if not error:
                    self.served_at = time.monotonic()
                else:
                    time.sleep(0.002)
            except OSError:
                time.sleep(0.002)
            finally:
                sock.close()


def pause_at_peer_kill(world, kind):
    """The peer of the active dies; seconds without an answer."""
    active, _ = world.lease()
    peer = world.hosts[next(copy for copy in COPIES if copy != active)]
    before, began = world.ledger.writes, time.monotonic()
    if kind == "process":
        peer.kill_process()
    else:
        peer.crash()
    world.until("writes go on", lambda: world.ledger.writes > before + 64 and time.monotonic() > began + 1)
    pause = world.longest_gap(began)
    if kind == "node":
        peer.boot()
    return pause


def promotion_at_host_kill(world):
    """The active's host dies; seconds until the other has served a write."""
    active, _ = world.lease()
    other = next(copy for copy in COPIES if copy != active)
    began = time.monotonic()
    world.hosts[active].crash()
    probe = Probe(world.hosts[other].socket())
    probe.start()
    world.until("the other side leads", lambda: world.guest_at == other)
    probe.join(30)
    probe.over = True
    if probe.served_at is None:
        raise SystemExit(f"copy {other} leads and served no write\n{world.logs()}")
    world.hosts[active].boot()
    return probe.served_at - began


def rows_of(name, seconds, target):
    """p50, p99 and the longest, in milliseconds; the target bounds the 99th percentile."""
    found = {"p50": statistics.median(seconds), "p99": percentile(seconds, 0.99), "max": max(seconds)}
    return [{"shape": "kills", "metric": f"{name}, {word}", "unit": "ms", "ours": round(value * 1000, 1), "peer": None, "peerName": "budget",
             "ratio": None, "target": f"≤ {target * 1000:.0f}" if word == "p99" and target else None,
             "met": value <= target if word == "p99" and target else None} for word, value in found.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--layout", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=100, help="of each of the three kinds (default 100)")
    parser.add_argument("--depth", type=int, default=4, help="requests of the guest under way at once (default 4)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    world = World(options.root, options.layout, random.Random(options.seed), options.depth)
    world.watch_gaps()
    measured = {
        "write pause, peer's process SIGKILLed": (lambda: pause_at_peer_kill(world, "process"), PAUSE_P99_SECONDS),
        "write pause, peer's host killed": (lambda: pause_at_peer_kill(world, "node"), PAUSE_P99_SECONDS),
        "active's host killed to first write served": (lambda: promotion_at_host_kill(world), None),
    }
    rows = []
    try:
        for host in world.hosts.values():
            host.boot()
        world.look_through("a")
        world.start_guest("a")
        for name, (strike, target) in measured.items():
            seconds = []
            for n in range(options.kills):
                world.until("the pair is whole", world.whole)
                world.pass_time(world.rng.uniform(0.3, 0.6))
                seconds.append(strike())
                if (n + 1) % 20 == 0:
                    print(f"{name}: {n + 1} kills, p50 {statistics.median(seconds) * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms", flush=True)
            rows += rows_of(name, seconds, target)
        different = world.compare_at_rest()
    finally:
        for host in world.hosts.values():
            host.end()
    ledger = world.ledger
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "kills.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(f"{row['metric']:52} {row['ours']:8.1f} ms  {row['target'] or '':8} {({True: 'yes', False: 'NO'}).get(row['met'], '')}")
    wrong = ledger.lost + ledger.reordered + ledger.errors + different
    print(f"{ledger.writes:,} acknowledged writes; {ledger.lost} lost, {ledger.reordered} reordered, {ledger.errors} errors, {different} blocks that differ")
    if wrong:
        print(f"logs are in {world.at}", file=sys.stderr)
        return 1
    shutil.rmtree(world.at, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measures the mirror beside its peers and writes target/bench/SHAPE.json and a table. Started by bench.sh."""

import argparse
import json
import os
import pathlib
import shutil
import sys
import time

import disk
import footprint
import resync
from servers import Sandbox


def figure(value, iqr, unit):
    """A median, and how far the middle half of the rounds lies apart."""
    apart = "" if not iqr or not value else f" ±{iqr / 2 / value:.0%}"
    return f"{value:,.1f} {unit}{apart}"


def table(rows):
    """The rows as text, one column each."""
    head = ["shape", "metric", "ours", "peer", "", "ratio", "target", "met"]
    lines = [head]
    for row in rows:
        lines.append([
            row["shape"],
            row["metric"],
            figure(row["ours"], row.get("oursIqr"), row["unit"]),
            row["peerName"],
            "" if row["peer"] is None else figure(row["peer"], row.get("peerIqr"), row["unit"]),
            "" if row["ratio"] is None else f"{row['ratio']:.2f}",
            row["target"] or "",
            {True: "yes", False: "NO", None: ""}[row["met"]],
        ])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = {2, 4, 5}
    return "\n".join(
        "  ".join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, type=pathlib.Path, help="root file system with fio, peers and mirror")
    parser.add_argument("--layout", required=True, type=pathlib.Path, help="script that lays out mirrors without Kubernetes")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; the median counts (default 5)")
    parser.add_argument("--seconds", type=int, default=2, help="length of each measurement (default 2)")
    parser.add_argument("--mib", type=int, default=512, help="size of each disk (default 512)")
    parser.add_argument("--only", help="servers to measure, comma-separated; ours is always among them")
    parser.add_argument("--minutes", type=float, default=0, help="footprint: load for so long and look for growth (default 0: not)")
    parser.add_argument("shape", choices=["disk", "footprint", "resync"])
    options = parser.parse_args()

    work = options.root / "bench" / "work"
    shutil.rmtree(work, ignore_errors=True)
    sandbox = Sandbox(options.root, "/bench/work", options.layout)
    started = time.monotonic()
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        print(f"NOTE: this machine is busy (load {load:.1f} on {cores} cores): the figures say little", flush=True)
    try:
        rows = {"disk": disk, "footprint": footprint, "resync": resync}[options.shape].measure(sandbox, options)
    finally:
        sandbox.stop_all()
        shutil.rmtree(work, ignore_errors=True)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{options.shape}.json"
    file.write_text(json.dumps(rows, indent=1) + "\n")
    print(table([row for row in rows if "p99" not in row["metric"]]))
    missed = sum(row["met"] is False for row in rows)
    print(f"\n{len(rows)} rows in {file}, {missed} targets missed, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

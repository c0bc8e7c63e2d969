#!/usr/bin/env python3
"""Two states of this project beside each other: CPU time of an object's backup, peak memory, and the program's size.

The arguments are a checkout of the older state, and one of the newer state: without it, this one. Each program backs up a whole vault
of the older state's emulator, new for each run; the runs alternate. Prints the median of each, and the ratio.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import emulated

VAULT = "https://kv-prod.vault.azure.net"


def measured(program: Path, objects: int) -> tuple[float, float]:
    """Milliseconds of CPU time for each object, and MiB of peak memory."""
    with emulated.emulator("--objects", str(objects)):
        with subprocess.Popen([program, "backup", "--vault", VAULT, "--output", "json"], stdout=subprocess.DEVNULL) as running:
            _, status, used = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode != 0:
        raise SystemExit(f"{program} ended with {running.returncode}")
    count = objects + 2 * max(1, objects // 10)
    return 1000 * (used.ru_utime + used.ru_stime) / count, used.ru_maxrss / 1024


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("older", type=Path)
    arguments.add_argument("newer", type=Path, nargs="?", default=emulated.PRODUCT)
    arguments.add_argument("--objects", type=int, default=3000)
    arguments.add_argument("--runs", type=int, default=7)
    given = arguments.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", emulated.PRODUCT / "target"))
    sides = []
    for checkout in (given.older.resolve(), given.newer.resolve()):
        emulated.PRODUCT, os.environ["CARGO_TARGET_DIR"] = checkout, str(target / f"beside-{checkout.name}")
        sides.append((emulated.program("release"), []))
    emulated.PRODUCT = given.older.resolve()
    os.environ["CARGO_TARGET_DIR"] = str(target / f"beside-{emulated.PRODUCT.name}")
    for _ in range(given.runs):
        for program, runs in sides:
            runs.append(measured(program, given.objects))
    print(f"| median of {given.runs} backups of {given.objects} secrets, keys and certificates | older | newer | ratio |")
    print("|---|---|---|---|")
    old, new = ([median(column) for column in zip(*runs)] + [program.stat().st_size / 2**20] for program, runs in sides)
    for what, unit, before, after in zip(("CPU time of an object", "peak memory", "size of the program"), ("ms", "MiB", "MiB"), old, new):
        print(f"| {what} | {before:.2f} {unit} | {after:.2f} {unit} | {after / before:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

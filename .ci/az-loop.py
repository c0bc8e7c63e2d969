#!/usr/bin/env python3
"""How long a loop of `az keyvault … backup` takes for a vault, and how long this program does, on one emulator in one run.

The first argument is `az`, or its path; `--objects N` sets the number of secrets, with a tenth of that in keys and in
certificates. Prints seconds, and seconds of CPU time for each object, of both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

from emulated import emulator, program

# What the scripts in public repositories come down to: list, and one call for each name.
LOOP = """
set -euo pipefail
for kind in secret key certificate; do
    for name in $("$AZ" keyvault $kind list --vault-name kv-prod --query '[].name' --output tsv); do
        "$AZ" keyvault $kind backup --vault-name kv-prod --name "$name" --file "$FILES/$kind-$name" >/dev/null
    done
done
"""


def timed(command: list, **more: str) -> tuple[float, float]:
    """Seconds that a command takes, and seconds of CPU time of it and its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **more})
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("az")
    arguments.add_argument("--objects", type=int, default=50)
    given = arguments.parse_args()
    ours = program("release")
    with emulator("--objects", str(given.objects)) as folder:
        files = folder / "files"
        files.mkdir()
        loop = timed(["bash", "-c", LOOP], AZ=given.az, FILES=str(files))
        count = len(list(files.iterdir()))
        tool = timed([ours, "backup", "--vault", "https://kv-prod.vault.azure.net", "--output", "json"])
    assert count == given.objects + 2 * max(1, given.objects // 10), count
    for name, (took, cpu) in (("a loop of az", loop), ("keyvault-backup", tool)):
        print(f"{name:16} {count} objects in {took:7.2f} s, {1000 * cpu / count:8.1f} ms of CPU time each")
    print(json.dumps({"objects": count, "times": round(loop[0] / tool[0]), "cpu_times": round(loop[1] / tool[1])}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

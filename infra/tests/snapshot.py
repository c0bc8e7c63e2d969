#!/usr/bin/env python3
"""Holds what the Bicep compiler predicts for each parameter file against what `expand.py` makes of it, property by property.

Runs wherever a `bicep` is on the path, and says that it did not where there is none. Its engine leaves what only Azure knows as an
expression, which stands for whatever `expand.py` has as a placeholder there; what both know has to be equal. `uniqueString` and
`guid` are the engine's own, so a name is compared by the texts around them. `--self-test` tries the comparison without a compiler.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterable

from expand import SUBSCRIPTION, TENANT, Deployment, Placeholder, Project, Resource

ROOT = Path(__file__).resolve().parent.parent
FILES = {"main.bicepparam": {}, "main.prod.bicepparam": {}, "roles.bicepparam": {}, "second-place.bicepparam": {}}
# What Azure or the compiler adds, and what orders a deployment and deploys nothing.
NOT_COMPARED = {"dependsOn", "apiVersion", "id", "type", "name"}
# Both make up a value of this shape where the other has another: uniqueString has 13 letters, guid 36, and a made-up one says so.
MADE = re.compile(r"\b[a-z2-7]{13}\b|\b\d{13}\b|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|guid\([^']*\)", re.I)
SHORT = re.compile(r"(?<=-)(?:[a-z2-7]{6}|\d{6})(?=$|[-/'\"])")


def plain(text: str) -> str:
    """Without what was made up; case does not count in ids."""
    return SHORT.sub("~", MADE.sub("~", text)).lower()


def is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("[") and value.endswith("]") and not value.startswith("[[")


def differing(path: str, theirs: Any, ours: Any) -> Iterable[str]:
    """Where the two differ. An expression stands for a placeholder, and for a text, list or object that holds one."""
    if is_expression(theirs):
        if not holds_placeholder(ours):
            yield f"{path}: the compiler has {theirs}, and expand.py {ours!r}"
    elif isinstance(theirs, dict) and isinstance(ours, dict):
        given = {key: value for key, value in ours.items() if value is not None}
        for key in sorted({**theirs, **given}.keys() - (NOT_COMPARED if path.count("/") == 0 else set())):
            if theirs.get(key) is None and given.get(key) is None:
                continue
            yield from differing(f"{path}/{key}", theirs.get(key), given.get(key))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (one, other) in enumerate(zip(theirs, ours)):
            yield from differing(f"{path}/{index}", one, other)
    elif isinstance(theirs, str) and isinstance(ours, str):
        if plain(theirs) != plain(ours) and not isinstance(ours, Placeholder):
            yield f"{path}: the compiler has {theirs!r}, and expand.py {ours!r}"
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        yield f"{path}: the compiler has {theirs!r}, and expand.py {ours!r}"


def holds_placeholder(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(holds_placeholder, value.values()))
    if isinstance(value, list):
        return any(map(holds_placeholder, value))
    return isinstance(value, Placeholder)


def key(kind: str, identity: str) -> tuple[str, str]:
    """What a resource is known by: its type and its place. An assignment's name is made up, so there can be several."""
    return kind.lower(), plain(re.sub(r"\[.*?\]|<[^>]*>[.\w]*", "~", identity))


def body(resource: Resource) -> dict:
    held = {name: value for name, value in resource.body.items() if name not in NOT_COMPARED | {"parent", "scope"}}
    return held


def compare(predicted: list[dict], deployment: Deployment) -> list[str]:
    """How the resources differ: those of one side alone, and the properties of those of both.

    A place that the compiler does not know is that of any resource of the type that is left.
    """
    ours: dict[tuple, list[dict]] = {}
    for resource in deployment.resources:
        if not resource.existing:
            ours.setdefault(key(resource.type, resource.id), []).append(body(resource))
    faults = []
    for resource in predicted:
        known = key(resource["type"], resource["id"])
        theirs = {name: value for name, value in resource.items() if name not in NOT_COMPARED}
        left = ours.get(known) or ([] if "[" not in resource["id"] else next((of for (kind, _), of in ours.items() if of and kind == known[0]), []))
        best = min(left, key=lambda of: len(list(differing(known[0], theirs, of))), default=None)
        if best is None:
            faults.append(f"the compiler alone has {resource['type']} {resource['id']}")
            continue
        left.remove(best)
        faults += differing(resource["type"].split("/")[-1] + f" {resource['name']}", theirs, best)
    return faults + [f"expand.py alone has {kind} {place}" for (kind, place), left in ours.items() for _ in left]


def predicted_by(bicep: str, name: str) -> list[dict]:
    """A snapshot is written beside the parameter file, so the files are copied first."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder) / "infra"
        shutil.copytree(ROOT, there, ignore=shutil.ignore_patterns("tests", "package", "scripts"))
        command = [bicep, "snapshot", str(there / name), "--mode", "overwrite", "--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION, "--location", "westeurope"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bicep snapshot {name}: {done.stdout}{done.stderr}")
        held = json.loads((there / name).with_suffix(".snapshot.json").read_text(encoding="utf-8"))
    return [r for r in held["predictedResources"] if r["type"] != "Microsoft.Resources/deployments"]


def as_predicted(deployment: Deployment) -> list[dict]:
    """What a compiler would write of this deployment: expressions for what only Azure knows."""
    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(of) for name, of in value.items() if of is not None}
        if isinstance(value, list):
            return [shown(of) for of in value]
        return f"[{value}]" if isinstance(value, Placeholder) else value
    of = [r for r in deployment.resources if not r.existing]
    return [shown(body(r)) | {"type": r.type, "id": str(r.id), "name": str(r.name), "apiVersion": r.version} for r in of]


def self_test() -> list[str]:
    """The comparison finds nothing in what is the same, and each of these changes."""
    deployment = Project(ROOT).deployment("main.bicepparam")
    faults = [f"the same differs: {fault}" for fault in compare(as_predicted(deployment), deployment)]
    changes = {
        "a resource less": lambda of: of.pop(),
        "a resource more": lambda of: of.append({"type": "Some.Thing/x", "id": "/x", "name": "x"}),
        "another value": lambda of: site(of)["properties"].update(httpsOnly=False),
        "a value less": lambda of: site(of)["properties"].pop("httpsOnly"),
        "a value more": lambda of: site(of)["properties"].update(other=1),
        "an expression for what is known": lambda of: site(of)["properties"].update(httpsOnly="[parameters('x')]"),
        "a list that is shorter": lambda of: next(r for r in of if r["type"].endswith("/actionGroups"))["properties"]["emailReceivers"].clear(),
        "another tag": lambda of: site(of)["tags"].update({"azd-service-name": "other"}),
        "a number for a truth": lambda of: site(of)["properties"].update(httpsOnly=1),
    }
    for name, change in changes.items():
        changed = as_predicted(deployment)
        change(changed)
        if not compare(changed, deployment):
            faults.append(f"{name} is passed over")
    return faults


def site(predicted: list[dict]) -> dict:
    return next(r for r in predicted if r["type"] == "Microsoft.Web/sites")


def main() -> int:
    faults = self_test()
    for fault in faults:
        print(f"FAULT {fault}")
    bicep = shutil.which("bicep")
    if "--self-test" in sys.argv or bicep is None:
        print("the comparison was tried; bicep is not installed here, so nothing was compared with what it predicts" if bicep is None else "the comparison was tried")
        return 1 if faults else 0
    project = Project(ROOT)
    for name, environment in FILES.items():
        predicted, deployment = predicted_by(bicep, name), project.deployment(name, environment)
        found = compare(predicted, deployment)
        faults += found
        for fault in found:
            print(f"FAULT {name}: {fault}")
        print(f"{name}: {len(predicted)} resources as the compiler predicts them, {len(found)} differences")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

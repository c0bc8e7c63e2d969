#!/usr/bin/env python3
"""Runs the scripts against an `az` that only writes down what it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

INFRA = Path(__file__).resolve().parent.parent

# Answers by the beginning of the command; everything else is answered with nothing.
STUB = """#!/usr/bin/env python3
import json, os, sys
asked = " ".join(sys.argv[1:])
with open(os.environ["STUB_LOG"], "a") as log:
    log.write(asked + "\\n")
for start, answer in json.loads(os.environ["STUB_ANSWERS"]).items():
    if asked.startswith(start):
        print(answer)
        break
"""

READING = ("show", "list", "what-if", "get-access-token", "--method get")
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"


def run(script: str, *args: str, answers: dict[str, str] | None = None, given: str = "") -> tuple[int, list[str], str]:
    """The exit code, what `az` was asked, and what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        stub, log = Path(folder, "az"), Path(folder, "log")
        stub.write_text(STUB)
        stub.chmod(0o755)
        log.touch()
        environment = {
            **os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "STUB_LOG": str(log), "STUB_ANSWERS": json.dumps(answers or {}),
        }
        done = subprocess.run([INFRA / script, *args], env=environment, input=given, capture_output=True, text=True, timeout=60)
        return done.returncode, log.read_text().splitlines(), done.stdout + done.stderr


def changes(asked: list[str]) -> list[str]:
    return [line for line in asked if not any(word in line for word in READING)]


FAULTS: list[str] = []


def expect(what: str, true: bool, seen: object) -> None:
    if not true:
        FAULTS.append(f"{what}: {seen}")


def main() -> int:
    scripts = ["deploy.sh", *(f"scripts/{name}.sh" for name in ("hsm-attach", "hsm-roles", "app-registration", "lock-immutability"))]
    for script in scripts:
        code, asked, said = run(script, "--help")
        expect(f"{script} --help", code == 0 and "usage:" in said and "--what-if" in said and not asked, said)
        code, asked, said = run(script, "--nonsense")
        expect(f"{script} --nonsense", code == 1 and not asked, said)
        code, asked, said = run(script)
        expect(f"{script} without arguments", code == 1 and not changes(asked), said)

    attach = ("scripts/hsm-attach.sh", "--hsm", "h", "--identity", IDENTITY)
    code, asked, said = run(*attach, answers={"keyvault show": "/other"})
    expect("an identity is added beside the others", changes(asked) == [f"keyvault update-hsm --hsm-name h --mi-user-assigned /other {IDENTITY} --output none"], asked)
    code, asked, said = run(*attach, answers={"keyvault show": IDENTITY.upper()})
    expect("an identity that is there is left alone", code == 0 and not changes(asked), asked)
    code, asked, said = run(*attach, "--what-if")
    expect("--what-if changes no HSM", code == 0 and not changes(asked) and "would run" in said, said)

    roles = ("scripts/hsm-roles.sh", "--hsm", "h", "--backup", "b", "--restore", "r")
    code, asked, said = run(*roles, answers={"keyvault role assignment list": "0"})
    expect("three roles are granted on the whole HSM", len(changes(asked)) == 3 and all("--scope / " in line for line in changes(asked)), asked)
    code, asked, said = run(*roles, answers={"keyvault role assignment list": "1"})
    expect("roles that are there are left alone", code == 0 and not changes(asked), asked)
    code, asked, said = run(*roles, "--what-if", answers={"keyvault role assignment list": "0"})
    expect("--what-if grants no role", code == 0 and not changes(asked), asked)

    lock = ("scripts/lock-immutability.sh", "--account", "a", "--group", "g")
    unlocked = {"storage account show": "Unlocked 90"}
    code, asked, said = run(*lock, answers=unlocked, given="b\n")
    expect("a wrong name locks nothing", code == 1 and not changes(asked), asked)
    code, asked, said = run(*lock, "--yes", "a", answers=unlocked)
    expect("the right name locks", code == 0 and len(changes(asked)) == 1 and "state=Locked" in changes(asked)[0], asked)
    code, asked, said = run(*lock, "--yes", "a", answers={"storage account show": "Locked 90"})
    expect("what is locked stays as it is", code == 0 and not changes(asked), asked)
    code, asked, said = run(*lock, "--what-if", answers=unlocked)
    expect("--what-if locks nothing", code == 0 and not changes(asked), asked)
    code, asked, said = run(*lock, "--yes", "a", answers={"storage account show": " "})
    expect("an account without a policy is refused", code == 1 and not changes(asked), said)

    app = ("scripts/app-registration.sh", "--environment", "e", "--grant", "Restore.Operator=who")
    known = {"cloud show": "https://graph.example/", "ad app list": "client", "ad sp list": "principal", "rest --method get": "0"}
    code, asked, said = run(*app, answers=known)
    expect("assignment is required and the role is given", code == 0 and any("appRoleAssignmentRequired=true" in a for a in asked)
           and any(a.startswith("rest --method post") for a in asked) and said.startswith("client\n"), said)
    code, asked, said = run(*app, "--what-if", answers=known)
    expect("--what-if registers nothing", code == 0 and not [a for a in changes(asked)], asked)
    code, asked, said = run("scripts/app-registration.sh", "--environment", "e", "--grant", "Root=who", answers=known)
    expect("an unknown role is refused", code == 1, said)

    code, asked, said = run("deploy.sh", "--location", "westeurope", "--what-if")
    expect("--what-if deploys nothing", code == 0 and len(asked) == 2 and all("what-if" in a for a in asked), asked)
    code, asked, said = run("deploy.sh", "--location", "westeurope", "--skip-package", given="n\n")
    expect("no deploys nothing", code == 1 and all("what-if" in a for a in asked), asked)

    for fault in FAULTS:
        print(f"FAULT {fault}")
    print("the scripts do what they say" if not FAULTS else "not clean")
    return 1 if FAULTS else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Holds the templates against the rules, and the rules against changes that have to break them."""

from __future__ import annotations

import sys
from pathlib import Path

import claims  # noqa: F401 - it adds a tie
import form  # noqa: F401 - it adds a tie
from bicep import SyntaxFault
from expand import Fault
from guards import GUARD_MUTATIONS
from mutations import MUTATIONS as OTHER_MUTATIONS
from policies import RULES, Subject
from ties import TIE_MUTATIONS, TIES, Code, notes

ROOT = Path(__file__).resolve().parent.parent
MUTATIONS = OTHER_MUTATIONS | GUARD_MUTATIONS


def changed(subject: Subject, file: str, old: str, new: str) -> Subject:
    path = subject.root / file
    source = path.read_text(encoding="utf-8")
    if old not in source:
        raise SystemExit(f"{file} does not hold the text that a mutation changes: {old!r}")
    known = {name: tree for name, tree in subject.project.files.items() if name != file}
    return Subject(subject.root, {file: source.replace(old, new, 1)}, known)


def broken(rule, *args) -> list[str]:
    """How a rule is broken. Templates that do not expand break no rule but the first."""
    found: list[str] = []
    try:
        found.extend(rule(*args))
    except (Fault, SyntaxFault) as fault:
        if not found:
            print(f"{rule.__name__}: the templates do not expand: {fault}")
    return found


def main() -> int:
    subject, code = Subject(ROOT), Code(ROOT.parent)
    faults, survivors, killed = [], [], 0
    for name, rule in RULES.items():
        faults += [f"{name}: {fault}" for fault in broken(rule, subject)]
    for name, tie in TIES.items():
        faults += [f"{name}: {fault}" for fault in broken(tie, subject, code)]
    for fault in faults:
        print(f"FAULT {fault}")

    unproved = [name for name in [*RULES, *TIES] if name not in {**MUTATIONS, **TIE_MUTATIONS}]
    survivors += [f"{name} is proved by nothing" for name in unproved]
    for name, mutations in MUTATIONS.items():
        for file, old, new in mutations:
            hit = broken(RULES[name], changed(subject, file, old, new))
            killed += bool(hit)
            survivors += [] if hit else [f"{name} passes over {old!r} -> {new!r} in {file}"]
    for name, mutations in TIE_MUTATIONS.items():
        for what, make in mutations:
            hit = broken(TIES[name], *make(subject, code, changed))
            killed += bool(hit)
            survivors += [] if hit else [f"{name} passes over: {what}"]
    for survivor in survivors:
        print(f"SURVIVOR {survivor}")

    for note in notes(code):
        print(f"note: {note}")
    print(f"{len(RULES)} rules and {len(TIES)} ties hold; {killed} changes were noticed" if not faults + survivors else "not clean")
    return 1 if faults or survivors else 0


if __name__ == "__main__":
    sys.exit(main())

"""Every claim of docs/security.md is tied by name to a test, a rule of these tests or a line of a template, or says that it is not
proved."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Iterable

from policies import RULES, Subject
from ties import TIE_MUTATIONS, TIES, Code, code_with, templates, tie

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")

TEST = re.compile(r"#\[(?:tokio::)?test\b[^\n]*\]\n(?:\s*#\[[^\n]*\]\n)*\s*(?:pub )?(?:async )?fn (\w+)")
MARK, DEFINED = re.compile(r"\[\^([a-z-]+)\](?!:)"), re.compile(r"^\[\^([a-z-]+)\]: (.*(?:\n    .*)*)", re.M)
PROOF = re.compile(r"(test|rule|line) `([^`]+)`(?:: `([^`]+)`)?")
UNPROVED = "Not proved:"


@cache
def tests() -> frozenset[str]:
    files = [path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.rs")]
    return frozenset(name for path in files for name in TEST.findall(path.read_text(encoding="utf-8")))


def scripts() -> frozenset[str]:
    """The parts of scripts.py, which plays the scripts."""
    source = (ROOT / "infra/tests/scripts.py").read_text(encoding="utf-8")
    return frozenset(re.findall(r"\w+", re.search(r"for part in \(([^)]*)\)", source)[1]))


def missing(kind: str, name: str, text: str, subject: Subject) -> str | None:
    """What a proof names and is not there."""
    if kind == "test":
        return None if name in tests() | scripts() else f"there is no test {name}"
    if kind == "rule":
        return None if name in {**RULES, **TIES} else f"there is no rule {name}"
    template = subject.changed.get(name) or (subject.root / name).read_text(encoding="utf-8")
    return None if text and text in template else f"{name} has no line with {text!r}"


def blocks(page: str) -> Iterable[tuple[str, str]]:
    """What the page says, one claim or a few each, with what stands before a list or a table."""
    text = re.sub(r"^ *```.*?^ *```$", "", DEFINED.sub("", page), flags=re.M | re.S)
    before = ""
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().splitlines()
        if not lines or lines[0].startswith("#"):
            continue
        if lines[0].startswith("|"):
            yield from ((row, before) for row in lines[2:])
        elif re.match(r"(- |\d\. )", lines[0]):
            yield from ((item, before) for item in re.split(r"\n(?=- |\d\. )", block.strip()))
        else:
            before = block.strip()
            if is_whole(before):
                yield before, ""


def is_whole(text: str) -> bool:
    """Whether a paragraph ends, and does not lead to a list or a table."""
    return MARK.sub("", text).endswith(".")


def is_tied(text: str) -> bool:
    """By a note, or by the name of a test, of a rule, or of a file of tests."""
    names = re.findall(r"`([\w/.]+)`", text)
    known = tests() | set(RULES) | set(TIES)
    files = [name for name in names if name.startswith("tests/it/") and (ROOT / name).is_file()]
    return bool(MARK.search(text) or files or known & set(names))


@tie
def every_claim_about_security_is_tied(subject: Subject, code: Code):
    """Each paragraph, item and row has a proof or says that there is none, and each proof is there."""
    page = code.extra.get("security", PAGE)
    defined = dict(DEFINED.findall(page))
    used = set(MARK.findall(DEFINED.sub("", page))) | {mark for text in defined.values() for mark in MARK.findall(text)}
    yield from (f"nothing is tied: {text[:70]!r}" for text, before in blocks(page)
                if not is_tied(text) and (is_whole(before) or not is_tied(before)))
    yield from (f"[^{name}] is not defined" for name in sorted(used - defined.keys()))
    yield from (f"[^{name}] is of nothing" for name in sorted(defined.keys() - used))
    for name, text in defined.items():
        proofs = PROOF.findall(text)
        if not proofs and UNPROVED not in text:
            yield f"[^{name}] names no proof, and does not say that there is none"
        yield from (f"[^{name}]: {why}" for kind, what, line in proofs if (why := missing(kind, what, line, subject)))
    # A test that was renamed: names of tests are longer than those of anything else.
    for name in re.findall(r"`([a-z]+(?:_[a-z0-9]+){4,})`", page):
        if name not in tests() | scripts() | set(RULES) | set(TIES):
            yield f"there is no {name}"


def of_the_page(old: str, new: str):
    if old not in PAGE:
        raise SystemExit(f"docs/security.md does not hold the text that a mutation changes: {old!r}")
    return code_with(security=PAGE.replace(old, new, 1))


TIE_MUTATIONS["every_claim_about_security_is_tied"] = [
    of_the_page("\n## Entry points\n", "\nNo attacker can do anything at all.\n\n## Entry points\n"),
    of_the_page("\n## Entry points\n", "\n- Items too.\n\n## Entry points\n"),
    of_the_page("| the HSM identity |", "| a new right | anything | nothing | nothing |\n| the HSM identity |"),
    of_the_page("test `no_app_may_add_what_people_decide`", "test `no_app_may_add_what_people_think`"),
    of_the_page("rule `rights_are_exactly_these`", "rule `rights_are_about_these`"),
    of_the_page("Not proved: ", ""),
    of_the_page("[^write-once]", "[^write-twice]"),
    of_the_page("[^own-storage]: rule `accounts_are_apart`; rule `rights_are_exactly_these`.", "[^own-storage]: Surely."),
    templates("modules/storage-account.bicep", "    allowSharedKeyAccess: false", "    allowSharedKeyAccess: true"),
    templates("modules/function-app.bicep", "    httpsOnly: true", "    httpsOnly: false"),
]

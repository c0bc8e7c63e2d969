"""The commands in the pages: those in fenced blocks, and those in running text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Who tries the commands of each kind. A new kind has no line here until somebody decides.
TRIED = {
    "az": "infra/tests/azure_cli.py: the parser of the real Azure CLI",
    "infra": "infra/tests/scripts.py: run, against an `az` that listens",
    "keyvault-backup": "tests/it/documents.rs: understood, and run where it only looks",
    "docs": "tests/it/pages.rs: run, with its whole block",
    "curl": "tests/it/pages.rs, and .ci/newcomer for the first steps: run, with its whole block",
    "call": "tests/it/pages.rs: run, with its whole block",
    "jq": "tests/it/pages.rs: run, with its whole block",
    "tee": "tests/it/pages.rs: run, with its whole block",
    "sed": "tests/it/pages.rs, and .ci/newcomer for the first steps: run, with its whole block",
}
LEFT_OUT = {
    "cargo": "builds and tests this project: .ci/run and benchmarks are made of it; .ci/newcomer runs those of the first steps",
    "git": "copies this project; .ci/newcomer runs that of the first steps",
    "cd": "goes to that copy; likewise",
    ".ci": "tries the mutants of the decisions, or a loop of az: both take long, and need what .ci/run does not build",
    "gh": "asks GitHub, which the release workflow does",
    "cosign": "asks the log of signatures, which the release workflow writes",
    "cmp": "compares what two builds left; .ci/release does the same with two clones",
    "sha256sum": "compares what was downloaded; .ci/installed does",
    "tar": "unpacks what was downloaded; .ci/installed does",
    "man": "formats a page of what was unpacked; .ci/installed does, with every page",
    "pip": "installs from a registry, which .ci/run does where it needs something",
    "azd": "is no package of PyPI or npm, and has no parser that runs without Azure",
    "export": "names what the lines after it use",
    "as_approver": "needs a token of Microsoft Entra ID; tests/it/approvals.rs makes the same calls with what the platform sends for one",
    "cp": "copies a parameter file that the reader then edits",
}
# Other languages than a shell's.
OTHER_BLOCKS = {
    "bicep": "a parameter that reads a secret of a vault of the reader's, while Azure deploys",
    "yaml": "what the reader adds to a Prometheus of theirs; .ci/metrics has promtool read the rules that it names",
    "json": "an error as the program printed it; its shape is in docs/terminal.schema.json, which a test makes",
    "kusto": ".ci/kql: the analyser of Azure's own editor, and an engine, on lines that the tests wrote",
    "mermaid": "a picture",
    "text": "a part of what a command printed",
}

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Command:
    """A command as its words; `whole` unless running text only mentions it."""

    page: str
    words: tuple[str, ...]
    whole: bool = True

    @property
    def kind(self) -> str:
        return self.words[0].split("/")[0]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def files() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docs/runbooks/README.md"]


def commands(pages: list[Path] | None = None) -> list[Command]:
    found = []
    for path in pages or files():
        text, name = path.read_text(encoding="utf-8"), path.name
        for _, block in (fence for fence in FENCE.findall(text) if fence[0] == "sh"):
            found += [Command(name, words) for words in shell(block)]
        for code in INLINE.findall(FENCE.sub("", text)):
            words = next(iter(shell(code.replace("\n", " "))), ()) if code[0].isalpha() else ()
            # A word alone is mostly a name of something else.
            if len(words) > 1 and words[0].split("/")[0] in {**TRIED, **LEFT_OUT} or code.startswith("infra/scripts/"):
                found.append(Command(name, words, whole=False))
    return found


def undecided(found: list[Command]) -> list[str]:
    """Commands of kinds that nobody tries and nobody has left out."""
    return [str(of) for of in found if of.kind not in {**TRIED, **LEFT_OUT}]


def stale() -> list[str]:
    """What these lists have, or the pages, and not the other."""
    languages = {language for path in files() for language, _ in FENCE.findall(path.read_text(encoding="utf-8"))}
    kinds = {of.kind for of in commands()}
    return [f"`{name}` is in no page" for name in sorted({*TRIED, *LEFT_OUT} - kinds)] + [
        f"a block of `{language}`" for language in sorted(languages ^ {"sh", *OTHER_BLOCKS})
    ]


def shell(text: str) -> list[tuple[str, ...]]:
    """The simple commands of a script, as far as the pages go. A command inside another one comes before it."""
    found, _ = _until(text.replace("\\\n", " ") + "\n", 0, end="")
    return found


def _until(text: str, at: int, end: str) -> tuple[list[tuple[str, ...]], int]:
    found: list[tuple[str, ...]] = []
    words: list[str] = []
    word: str | None = None
    quote = ""
    while at < len(text):
        character = text[at]
        if text.startswith("$(", at) and quote != "'":
            inner, at = _until(text, at + 2, end=")")
            found += inner
            word = (word or "") + "OUTPUT"
        elif quote:
            quote, word = ("", word or "") if character == quote else (quote, (word or "") + character)
        elif character in "'\"":
            quote, word = character, word or ""
        elif character == "#" and word is None:
            at = text.index("\n", at) - 1
        elif character in " \n;|&" or character == end:
            if word is not None:
                words.append(word)
                word = None
            if character != " " and (simple := _simple(words)):
                found.append(simple)
            words = words if character == " " else []
            if character == end:
                return found, at
        else:
            word = (word or "") + character
        at += 1
    return found, at


def _simple(words: list[str]) -> tuple[str, ...]:
    """Without what a shell does itself: loops, functions, variables, files for the output."""
    if words and words[0] == "for":
        return ()
    while words and (words[0] in ("do", "done", "{", "}") or words[0].endswith("()") or re.match(r"\w+=", words[0])):
        words = words[1:]
    return tuple(word for word in words if not re.match(r"\d?>", word))

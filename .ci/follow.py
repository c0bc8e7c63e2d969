"""Following a page of the documentation to the letter: its blocks of commands, what it promises that they print, and a terminal that
has nothing of this environment."""

import os
import re
import signal
import subprocess
from pathlib import Path

MARK = "FOLLOWED"
PRODUCT = Path(__file__).resolve().parent.parent

# What differs from run to run, and a word for it.
VARIES = [
    (r"\d{8}T\d{6}Z", "TIME"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"-(manual|restore)-[0-9a-f]+", r"-\1-SUFFIX"),
    (r"\b[\d.,]+ (s|B|KiB|MiB)\b", r"SOME \1"),
    (r"\b[0-9a-f]{12,}\b", "DIGEST"),
    (r"\s+", " "),
]


class Page:
    """A page, or the section of one that begins with a heading."""

    def __init__(self, path: str, heading: str = ""):
        self.name = f"{path}, {heading}" if heading else path
        text = (PRODUCT / path).read_text(encoding="utf-8")
        if heading:
            _, found, text = text.partition(f"\n## {heading}\n")
            if not found:
                raise SystemExit(f"{path} has no section `{heading}`")
            text, _, _ = text.partition("\n## ")
        self.text = text

    def blocks(self) -> list[tuple[str, list[str]]]:
        """The fenced blocks: language and commands, or lines."""
        found = re.findall(r"^```(\w+)\n(.*?)^```$", self.text, re.M | re.S)
        return [(language, [line for line in re.split(r"(?<!\\)\n", block) if line]) for language, block in found]


def steady(text: str) -> str:
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return text.strip()


def promised(page: Page, lines: list[str], printed: str) -> None:
    """Every line of a block is in what was printed, in that order."""
    rest = steady(printed)
    for line in map(steady, lines):
        _, found, rest = rest.partition(line)
        if not found:
            raise SystemExit(f"{page.name} promises what was not printed: {line}")


def clean(folder: Path, *kept: str) -> dict[str, str]:
    """What is kept of this environment, and nothing else."""
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PWD": str(folder)}


class Terminal:
    """A bash in which one command after the other is typed."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=environment, text=True, errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def type(self, command: str) -> tuple[int, str]:
        """Runs a command to its end. Returns its exit code, and what it printed."""
        self.bash.stdin.write(f"{command}\nprintf '\\n{MARK} %s\\n' $?\n")
        self.bash.stdin.flush()
        printed = []
        for line in self.bash.stdout:
            if found := re.fullmatch(rf"{MARK} (\d+)\n", line):
                return int(found[1]), "".join(printed)
            printed.append(line)
        raise SystemExit(f"{command}: the terminal is gone: {''.join(printed)}")

    def stay(self, command: str) -> list[str]:
        """Starts a command that stays. Returns the lines that it asks to be pasted."""
        self.bash.stdin.write(f"exec {command}\n")
        self.bash.stdin.flush()
        pasted, seen = [], []
        for line in self.bash.stdout:
            seen.append(line)
            if line.startswith("export "):
                pasted.append(line.rstrip("\n"))
            elif pasted:
                return pasted
        raise SystemExit(f"{command} ended: {''.join(seen)}")

    def end(self) -> None:
        if self.bash.poll() is None:
            os.killpg(self.bash.pid, signal.SIGINT)
        self.bash.wait(30)

    def typed(self, page: Page, command: str, named: str) -> str:
        """What a command prints, whose exit code is the one that the page names beside it."""
        print(f"$ {named}", flush=True)
        code, printed = self.type(command)
        print(printed, end="", flush=True)
        expected = int(found[1]) if (found := re.search(r"# exit code (\d+)", named)) else 0
        if code != expected:
            raise SystemExit(f"{page.name}: exit code {code} instead of {expected}: {named}")
        return printed

"""Reads the PowerShell runbooks with a grammar of PowerShell 7: whole, without names that nothing gives a meaning, and by
the rules that came out of running them.

They are not run here: PowerShell is in none of the registries that this project builds from. The GitHub workflow runs them.
Run this with a Python that has `tree-sitter` and `tree-sitter-pwsh`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator

import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

RUNBOOKS = Path(__file__).resolve().parent.parent / "docs/runbooks"
PARSER = Parser(Language(tree_sitter_pwsh.language()))

# Of PowerShell 7.2 itself, and of Azure Automation. None of them formats: a console cuts tables to its width.
CMDLETS = {
    "ConvertFrom-Json", "ConvertTo-Json", "ForEach-Object", "Get-Command", "Invoke-RestMethod", "Read-Host", "Select-Object",
    "Set-StrictMode", "Start-Sleep", "Where-Object", "Write-Warning", "Get-AutomationVariable",
}
# Parameters of later versions: Azure Automation has 7.2 and 7.4.
LATER = {"-DateKind": "7.5", "-AllowInsecureRedirect": "7.4"}
AUTOMATIC = {"_", "null", "true", "false", "erroractionpreference", "matches", "psboundparameters"}
# The first variable in each of these, and all in lists of parameters.
SETS = {"left_assignment_expression", "foreach_statement"}
PARAMETERS = {"param_block", "function_parameter_declaration"}
STRINGS = {"expandable_string_literal", "expandable_here_string_literal"}


def nodes(of: Node) -> Iterator[Node]:
    yield of
    for child in of.children:
        yield from nodes(child)


def text(of: Node) -> str:
    return of.text.decode()


def name(variable: Node) -> str:
    """A variable's name; case does not count."""
    return text(variable).lstrip("$@").strip("{}").lower()


def variables(of: Node) -> Iterator[Node]:
    return (node for node in nodes(of) if node.type in ("variable", "braced_variable"))


def functions(tree: Node) -> dict[str, Node]:
    found = [node for node in nodes(tree) if node.type == "function_statement"]
    return {text(next(part for part in nodes(node) if part.type == "function_name")): node for node in found}


def line(node: Node) -> int:
    return node.start_point.row + 1


def faults(source: bytes) -> list[str]:
    tree = PARSER.parse(source).root_node
    if tree.has_error:
        broken = [node for node in nodes(tree) if node.is_error or node.is_missing]
        return [f"line {line(node)}: this is no PowerShell: {text(node)[:60]!r}" for node in broken[:3]]
    return [*names(tree), *versions(tree), *lists(tree), *statuses(tree), *colons(tree)]


def names(tree: Node) -> Iterator[str]:
    known = functions(tree).keys() | CMDLETS
    for node in nodes(tree):
        if node.type == "command_name" and text(node) not in known:
            yield f"line {line(node)}: there is no command {text(node)}, or a plan must not go through it"
    set_here = [next(variables(node)) for node in nodes(tree) if node.type in SETS and any(variables(node))]
    parameters = [variable for node in nodes(tree) if node.type in PARAMETERS for variable in variables(node)]
    set_somewhere = {name(variable) for variable in set_here + parameters} | AUTOMATIC
    for node in variables(tree):
        if name(node) not in set_somewhere and not name(node).startswith("env:"):
            yield f"line {line(node)}: nothing sets {text(node)}"


def versions(tree: Node) -> Iterator[str]:
    for node in nodes(tree):
        if node.type == "command_parameter" and text(node) in LATER:
            yield f"line {line(node)}: {text(node)} came with PowerShell {LATER[text(node)]}"


def lists(tree: Node) -> Iterator[str]:
    """Each list that a caller gives is split, and nothing looks at it before that."""
    block = next(node for node in nodes(tree) if node.type == "param_block")
    for parameter in (node for node in nodes(block) if node.type == "script_parameter"):
        if "[string[]]" not in text(parameter):
            continue
        given = text(next(variables(parameter))).lstrip("$")
        if "ValidateSet" in text(parameter):
            yield f"line {line(parameter)}: {given} is looked at before it is split"
        if f"${given} = @(Split-List '{given}' ${given})" not in text(tree):
            yield f"line {line(parameter)}: {given} may hold several names in one text, and is not split"


def statuses(tree: Node) -> Iterator[str]:
    """A status is said only after 0 was looked for, which is none: there was no answer."""
    for body in functions(tree).values():
        for node in (node for node in nodes(body) if node.type in STRINGS and re.search(r"HTTP \$", text(node))):
            if "-eq 0" not in body.text[: node.start_byte - body.start_byte].decode():
                yield f"line {line(node)}: {text(node)} may say HTTP 0"
    inside = [(body.start_byte, body.end_byte) for body in functions(tree).values()]
    for node in (node for node in nodes(tree) if node.type in STRINGS and re.search(r"HTTP \$", text(node))):
        if not any(start <= node.start_byte < end for start, end in inside):
            yield f"line {line(node)}: {text(node)} may say HTTP 0"


def colons(tree: Node) -> Iterator[str]:
    """`$name:` in a text would be a variable of the scope `name`."""
    for node in (node for node in nodes(tree) if node.type in STRINGS):
        if re.search(r"(?<!`)\$(?!env:|script:)\w+:", text(node)):
            yield f"line {line(node)}: a colon after a variable's name belongs to the name: {text(node)}"


def different(sources: list[bytes]) -> list[str]:
    """Each runbook stands alone, so that it can be imported; what they share is the same in both."""
    first, *others = (functions(PARSER.parse(source).root_node) for source in sources)
    return [f"{name} is not the same in both" for other in others for name in first.keys() & other.keys()
            if first[name].text != other[name].text]


def unnoticed(source: bytes) -> list[str]:
    """Changes that have to be noticed, and are not. Some brackets stand in text, where nothing needs them."""
    brackets = [at for at, byte in enumerate(source) if byte in b"{}()[]"][::3]
    missed = [at for at in brackets if not faults(source[:at] + source[at + 1:])]
    found = [] if len(missed) * 5 < len(brackets) else [f"{len(missed)} of {len(brackets)} brackets that are taken away"]
    changes = {
        b"Start-Sleep": b"Start-Sleeping", b"$begun = ": b"$began = ", b"switch ($run": b"switch $run",
        b"switch ($restore": b"switch $restore", b"| Where-Object": b"| Format-Table",
        b"$Key = @(Split-List 'Key' $Key)": b"", b"[string[]] $Key": b"[ValidateSet('a')] [string[]] $Key",
        b"$Answer.Status -eq 0": b"$Answer.Problem", b"$($Parameter):": b"$Parameter:",
        b"ConvertFrom-Json": b"ConvertFrom-Json -DateKind String", b"$path = ": b"\"HTTP $($begun.Status)\"; $path = ",
    }
    for old, new in changes.items():
        if old in source and not faults(source.replace(old, new, 1)):
            found.append(f"{old!r} -> {new!r}")
    return found


def main() -> int:
    scripts = sorted(RUNBOOKS.glob("*.ps1"))
    sources = [script.read_bytes() for script in scripts]
    found = different(sources) if len(scripts) == 2 else [f"{len(scripts)} runbooks"]
    for script, source in zip(scripts, sources):
        found += [f"{script.name}: {fault}" for fault in faults(source)]
        found += [f"{script.name}: not noticed: {change}" for change in unnoticed(source)]
    for fault in found:
        print(f"FAULT {fault}")
    print(f"{len(scripts)} PowerShell runbooks are read whole; changes to them are noticed" if not found else "not clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

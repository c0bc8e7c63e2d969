"""Reads the PowerShell runbooks with a grammar of PowerShell 7: whole, and without names that nothing gives a meaning.

They are not run: PowerShell is in none of the registries that this project builds from. Run with a Python that has
`tree-sitter` and `tree-sitter-pwsh`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

RUNBOOKS = Path(__file__).resolve().parent.parent / "docs/runbooks"
PARSER = Parser(Language(tree_sitter_pwsh.language()))

# Of PowerShell 7.2 itself, and of Azure Automation.
CMDLETS = {
    "ConvertFrom-Json", "ConvertTo-Json", "ForEach-Object", "Format-Table", "Get-Command", "Invoke-RestMethod", "Out-String",
    "Read-Host", "Select-Object", "Set-StrictMode", "Start-Sleep", "Where-Object", "Write-Warning", "Get-AutomationVariable",
}
AUTOMATIC = {"_", "null", "true", "false", "erroractionpreference"}
# The first variable in each of these, and all in lists of parameters.
SETS = {"left_assignment_expression", "foreach_statement"}
PARAMETERS = {"param_block", "function_parameter_declaration"}


def nodes(of: Node) -> Iterator[Node]:
    yield of
    for child in of.children:
        yield from nodes(child)


def name(variable: Node) -> str:
    """A variable's name; case does not count."""
    return variable.text.decode().lstrip("$@").strip("{}").lower()


def variables(of: Node) -> Iterator[Node]:
    return (node for node in nodes(of) if node.type in ("variable", "braced_variable"))


def faults(source: bytes) -> list[str]:
    tree = PARSER.parse(source).root_node
    if tree.has_error:
        broken = [node for node in nodes(tree) if node.is_error or node.is_missing]
        return [f"line {node.start_point.row + 1}: this is no PowerShell: {node.text.decode()[:60]!r}" for node in broken[:3]]
    own = {node.text.decode() for node in nodes(tree) if node.type == "function_name"}
    called = [node for node in nodes(tree) if node.type == "command_name" and node.text.decode() not in own | CMDLETS]
    found = [f"line {node.start_point.row + 1}: there is no command {node.text.decode()}" for node in called]
    set_here = [next(variables(node)) for node in nodes(tree) if node.type in SETS and any(variables(node))]
    parameters = [variable for node in nodes(tree) if node.type in PARAMETERS for variable in variables(node)]
    known = {name(variable) for variable in set_here + parameters} | AUTOMATIC
    unknown = [node for node in variables(tree) if name(node) not in known and not name(node).startswith("env:")]
    return found + [f"line {node.start_point.row + 1}: nothing sets {node.text.decode()}" for node in unknown]


def unnoticed(source: bytes) -> list[str]:
    """Changes that have to be noticed, and are not. Some brackets stand in text, where nothing needs them."""
    brackets = [at for at, byte in enumerate(source) if byte in b"{}()[]"][::3]
    missed = [at for at in brackets if not faults(source[:at] + source[at + 1:])]
    found = [] if len(missed) * 5 < len(brackets) else [f"{len(missed)} of {len(brackets)} brackets that are taken away"]
    for old, new in ((b"Start-Sleep", b"Start-Sleeping"), (b"$begun = ", b"$began = "), (b"switch ($run", b"switch $run"),
                     (b"switch ($restore", b"switch $restore")):
        if old in source and not faults(source.replace(old, new, 1)):
            found.append(f"{old!r} -> {new!r}")
    return found


def main() -> int:
    scripts = sorted(RUNBOOKS.glob("*.ps1"))
    found = [] if len(scripts) == 2 else [f"{len(scripts)} runbooks"]
    for script in scripts:
        source = script.read_bytes()
        found += [f"{script.name}: {fault}" for fault in faults(source)]
        found += [f"{script.name}: not noticed: {change}" for change in unnoticed(source)]
    for fault in found:
        print(f"FAULT {fault}")
    print(f"{len(scripts)} PowerShell runbooks are read whole; changes to them are noticed" if not found else "not clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

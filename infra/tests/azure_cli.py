#!/usr/bin/env python3
"""Every `az` line of the pages, every one that the scripts ask, and every one that preflight prints, as the real Azure
CLI's parser reads it.

Nothing is carried out and nothing is reached. Needs the package `azure-cli`. Arguments: the file that scripts.py leaves, and
the folder of remedies that the tests of preflight leave. Lines that only mention a command in running text need not be whole;
command and options have to exist.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

# Before the CLI reads it: no settings, no extensions and no sign-in of this machine.
SETTINGS = tempfile.mkdtemp()
atexit.register(shutil.rmtree, SETTINGS, ignore_errors=True)
os.environ |= {"AZURE_CONFIG_DIR": SETTINGS, "AZURE_CORE_COLLECT_TELEMETRY": "no"}

from azure.cli.core import get_default_cli  # noqa: E402

import pages  # noqa: E402

CLI = get_default_cli()
# What each says has to be told from every other fault.
REFUSED = {
    "keyvault show --hsm-name h --vault": "unrecognized arguments",
    "keyvault shown --hsm-name h": "no such command",
    "functionapp function keys set --name a": "are required",
    "storage message peek --queue-name q --num-messages many": "invalid int value",
    "account list --query [[": "invalid jmespath_type value",
    "role assignment create --role r --scope s --assignee-object-id o --assignee-principal-type Robot": "is not a valid value",
}


def parser(args: list[str]):
    """The CLI's own parser for one command, or nothing where there is no such command."""
    invocation = CLI.invocation_cls(
        cli_ctx=CLI, parser_cls=CLI.parser_cls, commands_loader_cls=CLI.commands_loader_cls, help_cls=CLI.help_cls)
    CLI.invocation, loader = invocation, invocation.commands_loader
    loader.load_command_table(args)
    # The most leading words that are a command.
    known = (" ".join(args[:count]) for count in range(len(args), 0, -1))
    command = next((name for name in known if name in loader.command_table), None)
    if command is None:
        return None, None
    loader.command_table, loader.command_name = {command: loader.command_table[command]}, command
    invocation.data["command_string"] = command
    loader.load_arguments(command)
    invocation.parser.cli_ctx = CLI
    invocation.parser.load_command_table(loader)
    return invocation.parser, command


def fault(args: list[str], whole: bool = True) -> str | None:
    """Why the CLI would refuse a line."""
    of, command = parser(args)
    if of is None:
        return "there is no such command"
    if not whole:
        known = of.subparsers[tuple(command.split()[:-1])].choices[command.split()[-1]]._option_string_actions
        return next((f"{word} is no option of it" for word in args if word.startswith("--") and word not in known), None)
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            of.parse_args(args)
    except SystemExit:
        return said.getvalue().split("\n")[0]
    return None


def collected(heard: Path, remedies: Path) -> list[tuple[str, list[str], bool]]:
    """Lines with where they come from, and whether they are whole."""
    lines = [(str(of), list(of.words[1:]), of.whole) for of in pages.commands() if of.kind == "az"]
    lines += [(f"a script: {line}", shlex.split(line), True) for line in heard.read_text().splitlines()]
    for command in sorted(remedies.iterdir()):
        # A command may ask others for what it does not know.
        text = command.read_text()
        found = [words[1:] for words in pages.shell(text) if words[0] == "az"]
        lines += [(f"preflight: {text}", list(words), True) for words in found]
    return lines


def main() -> int:
    lines = collected(*map(Path, sys.argv[1:3]))
    sources = [sum(line.startswith(source) for line, _, _ in lines) for source in ("a script", "preflight")]
    faults = [] if min(sources) > 25 else [f"only {sources} lines of scripts and of preflight"]
    faults += [f"{line}: {why}" for line, words, whole in lines if (why := fault(words, whole))]
    for line, expected in REFUSED.items():
        why = fault(shlex.split(line))
        faults += [] if expected in (why or "") else [f"`{line}` should be refused with {expected!r}, not {why!r}"]
    if fault(["keyvault", "secret", "restore", "--fil"], whole=False) is None:
        faults.append("a mention with a wrong option passes")
    for of in faults:
        print(f"FAULT {of}")
    print(f"the Azure CLI understands {len(lines)} lines" if not faults else "not clean")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

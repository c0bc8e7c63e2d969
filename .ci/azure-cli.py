"""The real `az`, as it is published, against the emulated vaults and the emulated HSM.

What this program's `backup --file` writes, `az keyvault … restore --file` restores, for each kind of object, and the other
way round. What fails here is the fault of the program or of the emulator, not of the CLI. Run with the Python that has the
package `azure-cli`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from emulated import emulator, program

PROGRAM = program()
NAMES = {"secret": "db-password", "key": "key-00000", "certificate": "certificate-00000"}


def ours(*args: str) -> None:
    """This project's own command line tool."""
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True)
    assert done.returncode == 0, (args, done.stdout, done.stderr)


def az(*args: str):
    """The CLI, in this process: a start costs it a second."""
    from azure.cli.core import get_default_cli

    printed, cli = StringIO(), get_default_cli()
    with redirect_stdout(printed):
        code = cli.invoke([*args, "--output", "json"], out_file=printed)
    assert code == 0, (args, cli.result.error)
    return json.loads(printed.getvalue() or "null")


def same_form(one: Path, other: Path) -> None:
    """Two backups of one object differ in what the service encrypted, and in nothing else."""
    head, another = one.read_bytes(), other.read_bytes()
    length = head[0] + 1
    assert length > 20 and head[:length] == another[:length] and len(head) == len(another), (one, other)


def both_ways(kind: str, folder: Path) -> None:
    """Two files of one object, each restored by the tool that did not write it."""
    name, our_file, theirs = NAMES[kind], folder / f"{kind}-ours", folder / f"{kind}-theirs"
    ours("backup", "--vault", "https://kv-prod.vault.azure.net", f"--{kind}", name, f"--file={our_file}")
    az("keyvault", kind, "backup", "--vault-name", "kv-prod", "--name", name, "--file", str(theirs))
    same_form(our_file, theirs)
    az("keyvault", kind, "restore", "--vault-name", "by-az", "--file", str(our_file))
    ours("restore", "--vault", "https://by-program.vault.azure.net", "--file", str(theirs), "--yes")
    versions = [
        [of.get("id", of.get("kid")).rsplit("/", 1)[1]
         for of in az("keyvault", kind, "list-versions", "--vault-name", vault, "--name", name)]
        for vault in ("kv-prod", "by-az", "by-program")
    ]
    assert versions[0] and versions[0] == versions[1] == versions[2], (kind, versions)


def whole_hsm() -> None:
    of = ("--hsm-name", "hsm-prod", "--storage-account-name", "mybackups", "--blob-container-name", "hsm",
          "--use-managed-identity", "true")
    folder = az("keyvault", "backup", "start", *of)["folderUrl"].rsplit("/", 1)[1]
    az("keyvault", "key", "create", "--hsm-name", "hsm-prod", "--name", "intruder", "--kty", "RSA-HSM")
    az("keyvault", "restore", "start", *of, "--backup-folder", folder)
    keys = [of["name"] for of in az("keyvault", "key", "list", "--hsm-name", "hsm-prod")]
    assert keys == ["key-00000"], keys


def main() -> int:
    with emulator("--hsm-retry-after", "1", "--objects", "1") as folder:
        for kind in NAMES:
            both_ways(kind, folder)
        whole_hsm()
    print("the Azure CLI restores what this program wrote, and the other way round; it backs up and restores an emulated HSM")
    return 0


if __name__ == "__main__":
    sys.exit(main())

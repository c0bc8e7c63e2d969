"""The real `az`, as it is published, against the emulated vaults and the emulated HSM.

What this program's `backup --file` writes, `az keyvault … restore --file` restores, for each kind of object, and the other
way round. What fails here is the fault of the program or of the emulator, not of the CLI. Run with the Python that has the
package `azure-cli`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

PRODUCT = Path(__file__).resolve().parent.parent
TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", PRODUCT / "target"), "debug/keyvault-backup")
KINDS = ("secret", "key", "certificate")
LAST_LINE = "# To see the challenge:"

# What `az login --identity` leaves. The sign-in itself asks Azure Resource Manager, which is not emulated.
SIGNED_IN = {"subscriptions": [{
    "id": TENANT, "tenantId": TENANT, "homeTenantId": TENANT, "name": "N/A(tenant level account)", "state": "Enabled",
    "environmentName": "AzureCloud", "isDefault": True, "managedByTenants": [],
    "user": {"name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI"},
}]}


def emulator() -> subprocess.Popen:
    """The emulator; its variables are set."""
    command = ["cargo", "emulator", "--port", "0", "--identity-port", "0", "--hsm-retry-after", "1", "--objects", "1"]
    running = subprocess.Popen(command, cwd=PRODUCT, stdout=subprocess.PIPE, text=True)
    for line in running.stdout:
        if found := re.match(r"export (\w+)=(.*)$", line):
            os.environ[found[1]] = found[2]
        if line.startswith(LAST_LINE):
            return running
    raise SystemExit("the emulator did not start")


def program(*args: str) -> None:
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
    name, ours, theirs = f"{kind}-00000", folder / f"{kind}-ours", folder / f"{kind}-theirs"
    program("backup", "--vault", "https://sample.vault.azure.net", f"--{kind}", name, f"--file={ours}")
    az("keyvault", kind, "backup", "--vault-name", "sample", "--name", name, "--file", str(theirs))
    same_form(ours, theirs)
    az("keyvault", kind, "restore", "--vault-name", "by-az", "--file", str(ours))
    program("restore", "--vault", "https://by-program.vault.azure.net", "--file", str(theirs), "--yes")
    versions = [
        [of.get("id", of.get("kid")).rsplit("/", 1)[1]
         for of in az("keyvault", kind, "list-versions", "--vault-name", vault, "--name", name)]
        for vault in ("sample", "by-az", "by-program")
    ]
    assert versions[0] and versions[0] == versions[1] == versions[2], (kind, versions)


def whole_hsm() -> None:
    of = ("--hsm-name", "samplehsm", "--storage-account-name", "samplebackups", "--blob-container-name", "hsm",
          "--use-managed-identity", "true")
    folder = az("keyvault", "backup", "start", *of)["folderUrl"].rsplit("/", 1)[1]
    az("keyvault", "key", "create", "--hsm-name", "samplehsm", "--name", "intruder", "--kty", "RSA-HSM")
    az("keyvault", "restore", "start", *of, "--backup-folder", folder)
    keys = [of["name"] for of in az("keyvault", "key", "list", "--hsm-name", "samplehsm")]
    assert keys == ["key-00000"], keys


def main() -> int:
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--bin", PROGRAM.name], cwd=PRODUCT, check=True)
    running = emulator()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {"AZURE_CONFIG_DIR": folder, "AZURE_CORE_COLLECT_TELEMETRY": "no"}
            Path(folder, "azureProfile.json").write_text(json.dumps(SIGNED_IN))
            for kind in KINDS:
                both_ways(kind, Path(folder))
            whole_hsm()
    finally:
        running.terminate()
        running.wait()
    print("the Azure CLI restores what this program wrote, and the other way round; it backs up and restores an emulated HSM")
    return 0


if __name__ == "__main__":
    sys.exit(main())

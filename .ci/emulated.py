"""The emulator as its terminal command starts it, and what the Azure CLI needs to be signed in to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PRODUCT = Path(__file__).resolve().parent.parent
TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
LAST_LINE = "# To see the challenge:"

# What `az login --identity` leaves. The sign-in itself asks Azure Resource Manager, which is not emulated.
SIGNED_IN = {"subscriptions": [{
    "id": TENANT, "tenantId": TENANT, "homeTenantId": TENANT, "name": "N/A(tenant level account)", "state": "Enabled",
    "environmentName": "AzureCloud", "isDefault": True, "managedByTenants": [],
    "user": {"name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI"},
}]}


def program(profile: str = "debug") -> Path:
    """This project's own command line tool, built."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--bin", "keyvault-backup",
                    "--profile", "dev" if profile == "debug" else profile], cwd=PRODUCT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", PRODUCT / "target"), profile, "keyvault-backup")


@contextmanager
def emulator(*options: str):
    """Runs the emulator, with its variables set and the Azure CLI signed in. Yields a folder that goes with it."""
    command = ["cargo", "emulator", "--port", "0", "--identity-port", "0", *options]
    running = subprocess.Popen(command, cwd=PRODUCT, stdout=subprocess.PIPE, text=True)
    try:
        for line in running.stdout:
            if found := re.match(r"export (\w+)=(.*)$", line):
                os.environ[found[1]] = found[2]
            if line.startswith(LAST_LINE):
                break
        else:
            raise SystemExit("the emulator did not start")
        with TemporaryDirectory() as folder:
            os.environ |= {"AZURE_CONFIG_DIR": folder, "AZURE_CORE_COLLECT_TELEMETRY": "no"}
            Path(folder, "azureProfile.json").write_text(json.dumps(SIGNED_IN))
            yield Path(folder)
    finally:
        running.terminate()
        running.wait()

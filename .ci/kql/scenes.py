"""What the queries are tried on: the scenes that the program's own tests left, rows of Azure's own logs, and what each alert finds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "infra/tests"))
from expand import SUBSCRIPTION  # noqa: E402
from policies import HARDENED, LOG_RULE, Subject, View, alert_name, query, workbook_queries  # noqa: E402

STRANGER = "99999999-0000-0000-0000-000000000000"


def hardened() -> View:
    """The hardened example, with the names of the tests' vaults and HSM."""
    text = (ROOT / "infra" / HARDENED).read_text(encoding="utf-8")
    changed = text.replace("'kv-shop-prod'", "'kv-a'").replace("'hsm-payments-prod'", "'hsm-a'").replace("'kv-shop-drill'", "'kv-drill'")
    return Subject(ROOT / "infra", {HARDENED: changed}).hardened


VIEW = hardened()
ALERTS = {alert_name(alert): query(alert) for alert in VIEW.of(LOG_RULE)}
WORKBOOK = workbook_queries(VIEW)
APP = VIEW.apps["backup"].name
APPS = [app.name.lower() for app in VIEW.apps.values()]
ACCOUNTS = {use: account.name for use, account in VIEW.accounts.items()}
OF_TESTS = {"backups": ACCOUNTS["backups"], "landing": ACCOUNTS["landing"], "workstore": ACCOUNTS["host of backup"]}


def principal(role: str) -> str:
    identity = VIEW.identities[role]
    return f"<{identity.type}/{identity.name}>.properties.principalId"


CALLERS = {"": principal("backup"), "keeper": principal("keeper"), "person": STRANGER}


RUNNING = [("AppRequests", {"Name": "AdvanceJobs", "AppRoleName": app}) for app in APPS]


def of_request(request: dict) -> tuple[str, dict] | None:
    """The row that Azure logs of a call which a test saw."""
    host, path, operation = request["host"].split(".")[0], request["path"], request["operation"]
    caller = CALLERS[request["caller"]]
    if request["service"] == "Blob" and host not in OF_TESTS:
        # Its owners have the log of the second place.
        return None
    if request["service"] == "Blob":
        category = {"G": "StorageRead", "L": "StorageRead", "D": "StorageDelete"}.get(operation[0], "StorageWrite")
        path = path.removeprefix(f"/{host}")
        return "StorageBlobLogs", {
            "AccountName": OF_TESTS[host], "Category": category, "OperationName": operation, "StatusCode": str(request["status"]),
            "Uri": f"https://{OF_TESTS[host]}.blob.core.windows.net:443{path}", "RequesterObjectId": caller, "AuthenticationType": "OAuth",
        }
    if request["service"] == "Vault":
        kind = next((k for k in ("secret", "key", "certificate") if f"/{k}s" in path), "vault").capitalize()
        return "AzureDiagnostics", {
            "ResourceProvider": "MICROSOFT.KEYVAULT", "OperationName": f"{kind}{operation}", "Resource": host.upper(),
            "httpStatusCode_d": float(request["status"]), "identity_claim_oid_g": caller, "id_s": path,
        }
    return None


def scene(path: Path) -> list[tuple[str, dict]]:
    """Lines as traces, calls as Azure logs them; where anything was invoked, every app was, as the host does each minute."""
    held = json.loads(path.read_text(encoding="utf-8"))
    rows = [("AppTraces", {"Message": line, "AppRoleName": APP}) for line in held["lines"]]
    rows += RUNNING if held["invocations"] or path.stem == "start" else []
    return rows + [row for row in map(of_request, held["requests"]) if row]


def blob(operation: str, where: str, account: str = "backups", caller: str = STRANGER, **others) -> tuple[str, dict]:
    category = {"Get": "StorageRead", "Lis": "StorageRead", "Cop": "StorageRead", "Del": "StorageDelete"}.get(operation[:3], "StorageWrite")
    return "StorageBlobLogs", {
        "AccountName": ACCOUNTS[account], "Category": category, "OperationName": operation, "StatusCode": "200",
        "Uri": f"https://{ACCOUNTS[account]}.blob.core.windows.net:443/{where}", "RequesterObjectId": caller, "AuthenticationType": "OAuth",
    } | others


def activity(operation: str, scope: str, status: str = "Success") -> tuple[str, dict]:
    return "AzureActivity", {
        "CategoryValue": "Administrative", "OperationNameValue": operation.upper(), "ActivityStatusValue": status,
        "Authorization_d": {"action": operation, "scope": scope}, "Caller": STRANGER, "ResourceGroup": "RG-KVBACKUP-PROD",
    }


def vault_call(operation: str, caller: str, status: float = 200.0, host: str = "KV-A") -> tuple[str, dict]:
    return "AzureDiagnostics", {
        "ResourceProvider": "MICROSOFT.KEYVAULT", "OperationName": operation, "Resource": host, "httpStatusCode_d": status,
        "identity_claim_oid_g": caller, "id_s": "https://kv-a.vault.azure.net/secrets/db",
    }


HOME, OTHER = f"/subscriptions/{SUBSCRIPTION}", "/subscriptions/00000000-0000-0000-0000-000000000001"
VAULT = f"{OTHER}/resourceGroups/rg-shop-prod/providers/Microsoft.KeyVault/vaults/kv-a"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
BACKUP = "backups/vaults/kv-a/runs/20260110T020000Z-nightly/objects/secret/db/backup"
WORKER = "Failed to start Worker Channel. Process fileName: /home/site/wwwroot/keyvault-backup"

# Rows that no test of the program can write: they are of Azure's own services.
def verified(source: str, kind: str) -> str:
    """The line of a pass over a source."""
    return json.dumps({"event": "verification.ended", "source.name": source, "source.kind": kind})


HAND_MADE: dict[str, tuple[list, dict[str, set]]] = {
    "an app is silent": (RUNNING[1:], {"app-not-starting": {APPS[0]}}),
    "its log alone tells of it": ([*RUNNING[1:], ("FunctionAppLogs", {"AppName": APP, "Category": "Function.AdvanceJobs"})], {}),
    "the host alone writes": ([*RUNNING[1:], ("FunctionAppLogs", {"AppName": APP, "Category": "Host.General"})], {"app-not-starting": {APPS[0]}}),
    "a worker in the exceptions": ([*RUNNING, ("AppExceptions", {"AppRoleName": APP, "Properties": {"FormattedMessage": WORKER}})], {"app-not-starting": {APPS[0]}}),
    "a worker in the log": ([*RUNNING, ("FunctionAppLogs", {"AppName": APP, "Category": "Worker", "Message": WORKER})], {"app-not-starting": {APPS[0]}}),
    # https://github.com/Azure/azure-webjobs-sdk, QueueProcessor.cs
    "a poison message": ([*RUNNING, ("AppTraces", {"AppRoleName": APP, "Message": "Message has reached MaxDequeueCount of 5. Moving message to queue 'backup-objects-poison'."})], {"poison-message": {APP}}),
    "the folders of an HSM are verified": ([*RUNNING, ("AppTraces", {"AppRoleName": APP, "Message": verified("hsm-a", "hsm")})], {"not-verified": {"kv-a", "kv-legacy-prod"}}),
    "single keys of an HSM are verified": ([*RUNNING, ("AppTraces", {"AppRoleName": APP, "Message": verified("hsm-a", "vault")})], {}),
    "a person backs up": ([*RUNNING, vault_call("SecretBackup", STRANGER)], {"unknown-caller": {"KV-A"}}),
    "the restore app restores": ([*RUNNING, vault_call("SecretRestore", principal("restore"))], {}),
    "the keeper backs up": ([*RUNNING, vault_call("SecretBackup", principal("keeper"))], {"unknown-caller": {"KV-A"}}),
    "the keeper restores into a source": ([*RUNNING, vault_call("SecretRestore", principal("keeper"))], {"unknown-caller": {"KV-A"}}),
    "the keeper restores into a drill vault": ([*RUNNING, vault_call("SecretRestore", principal("keeper"), host="KV-DRILL")], {}),
    "a stranger restores into a drill vault": ([*RUNNING, vault_call("SecretRestore", STRANGER, host="KV-DRILL")], {"unknown-caller": {"KV-DRILL"}}),
    "a client asks where tokens come from": ([*RUNNING, vault_call("SecretBackup", "", 401.0)], {}),
    "a hundred are throttled": ([*RUNNING, *[vault_call("SecretGet", STRANGER, 429.0)] * 100], {}),
    "one more is throttled": ([*RUNNING, *[vault_call("SecretGet", STRANGER, 429.0)] * 101], {"throttled": {"KV-A"}}),
    "twenty are refused": ([*RUNNING, *[blob("GetBlob", BACKUP, StatusCode="403")] * 20], {}),
    "one more is refused": ([*RUNNING, *[blob("GetBlob", BACKUP, StatusCode="403")] * 21], {"storage-refused": {ACCOUNTS["backups"]}}),
    "a person reads a backup": ([*RUNNING, blob("GetBlob", BACKUP)], {"backup-read": {ACCOUNTS["backups"]}}),
    "a signature reads a backup": ([*RUNNING, blob("GetBlob", BACKUP, caller="", AuthenticationType="SAS")], {"backup-read": {ACCOUNTS["backups"]}}),
    "a letter is encoded": ([*RUNNING, blob("GetBlob", BACKUP.replace("objects", "o%62jects"))], {"backup-read": {ACCOUNTS["backups"]}}),
    "a copy reads a backup": ([*RUNNING, blob("CopyBlobSource", BACKUP)], {"backup-read": {ACCOUNTS["backups"]}}),
    "a read that is interrupted": ([*RUNNING, blob("GetBlob", BACKUP, StatusCode="Unknown")], {"backup-read": {ACCOUNTS["backups"]}}),
    "a person reads a manifest": ([*RUNNING, blob("GetBlob", "backups/vaults/kv-a/manifests/1-run.jsonl.gz")], {}),
    "a person lists and looks": ([*RUNNING, blob("ListBlobs", BACKUP), blob("GetBlobProperties", BACKUP)], {}),
    "a person reads an HSM's backup": ([*RUNNING, blob("GetBlob", "hsm-backups/mhsm-a-2026/part", "landing")], {"backup-read": {ACCOUNTS["landing"]}}),
    "the HSM reads its backup": ([*RUNNING, blob("GetBlob", "hsm-backups/mhsm-a-2026/part", "landing", principal("hsm"))], {}),
    "each app reads": ([*RUNNING, *[blob("GetBlob", BACKUP, caller=principal(role)) for role in ("backup", "restore", "keeper")]], {}),
    "the keeper deletes": ([*RUNNING, blob("DeleteBlob", BACKUP, caller=principal("keeper"))], {}),
    "the backup app deletes": ([*RUNNING, blob("DeleteBlob", BACKUP, caller=principal("backup"))], {"backup-deleted": {ACCOUNTS["backups"]}}),
    "a person deletes the container": ([*RUNNING, blob("DeleteContainer", "hsm-backups", "landing")], {"backup-deleted": {ACCOUNTS["landing"]}}),
    "a delete that is refused": ([*RUNNING, blob("DeleteBlob", BACKUP, StatusCode="409")], {}),
    # Lifecycle rules delete with a signature of Azure's own.
    "a rule deletes a probe": ([*RUNNING, blob("DeleteBlob", "backups/preflight/2026-01-10", caller="", AuthenticationType="SAS")], {}),
    "a rule deletes a backup": ([*RUNNING, blob("DeleteBlob", BACKUP, caller="", AuthenticationType="SAS")], {"backup-deleted": {ACCOUNTS["backups"]}}),
    "a package is written": ([*RUNNING, blob("PutBlob", "deployments/released-package.zip", "host of keeper", principal("keeper"))], {"package-written": {ACCOUNTS["host of keeper"]}}),
    "a package is read": ([*RUNNING, blob("GetBlob", "deployments/released-package.zip", "host of keeper", principal("keeper"))], {}),
    "jobs are written": ([*RUNNING, blob("PutBlob", "jobs/backup-runs/kv-a", "host of backup", principal("backup"))], {}),
    "a right on a vault": ([*RUNNING, activity(ASSIGN, f"{VAULT}/providers/{ASSIGN.removesuffix('/write')}/1")], {"access-changed": 1}),
    "a right on its group": ([*RUNNING, activity(ASSIGN, f"{OTHER}/resourceGroups/rg-shop-prod/providers/Microsoft.Authorization/roleAssignments/1")], {"access-changed": 1}),
    "a right on a subscription": ([*RUNNING, activity(ASSIGN, f"{HOME}/providers/Microsoft.Authorization/roleAssignments/1")], {"access-changed": 1}),
    "a right elsewhere": ([*RUNNING, activity(ASSIGN, f"{HOME}/resourceGroups/other/providers/Microsoft.Authorization/roleAssignments/1")], {}),
    "a right that is refused": ([*RUNNING, activity(ASSIGN, f"{HOME}/providers/Microsoft.Authorization/roleAssignments/1", "Failure")], {}),
    "the log of a vault ends": ([*RUNNING, activity("Microsoft.Insights/diagnosticSettings/delete", f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings/x")], {"access-changed": 1}),
    "a vault is written": ([*RUNNING, activity("Microsoft.KeyVault/vaults/write", VAULT)], {"access-changed": 1}),
    "a vault with a longer name is written": ([*RUNNING, activity("Microsoft.KeyVault/vaults/write", f"{VAULT}-other")], {}),
    "a template writes a secret": ([*RUNNING, activity("Microsoft.KeyVault/vaults/secrets/write", f"{VAULT}/secrets/db")], {}),
}

# Nothing has been backed up or verified, and retention has not been applied, unless a scene says so.
MISSED = {
    "vault-not-backed-up": {"kv-a", "kv-legacy-prod"}, "hsm-not-backed-up": {"hsm-a"},
    "retention-not-applied": {"kv-a", "kv-legacy-prod", "hsm-a"}, "not-verified": {"kv-a", "kv-legacy-prod", "hsm-a"},
    "hsm-not-copied": {"hsm-a"}, "evidence-not-recorded": {"evidence"},
    "second-place-late": {"kv-a", "kv-legacy-prod", "hsm-a"}, "drill-overdue": {"kv-a", "kv-legacy-prod", "hsm-a"},
}
BACKED_UP = {"vault-not-backed-up": {"kv-legacy-prod"}}
NIGHT, NEXT = "20260110T020000Z-nightly", "20260111T020000Z-nightly"
# What each scene of the program makes an alert say: the targets, or the targets with the run.
OF_SCENES: dict[str, dict[str, set]] = {
    "quiet": BACKED_UP,
    "failed-object": BACKED_UP | {"run-not-clean": {("kv-a", NIGHT)}},
    "unlisted": {"run-not-clean": {("kv-a", NIGHT)}},
    "loss": BACKED_UP | {"run-not-clean": {("kv-a", NEXT)}, "many-objects-gone": {("kv-a", NEXT)}},
    "form": BACKED_UP | {"backup-form-unknown": {("kv-a", NIGHT)}},
    "restores": BACKED_UP | {"run-not-clean": 1},
    "hsm": {"hsm-not-backed-up": set(), "job-overdue": {("hsm-a", NIGHT)}},
    "hsm-failed": {"run-not-clean": {("hsm-a", NIGHT)}},
    "retention": {"retention-not-applied": {"kv-legacy-prod", "hsm-a"}, "evidence-not-recorded": set()},
    "verification": {"not-verified": {"kv-legacy-prod", "hsm-a"}, "backup-damaged": {("kv-a", "20260120T020000Z-nightly")}},
    "nothing-verified": {},
    "second": {"second-place-late": {"kv-legacy-prod", "hsm-a"}}, "second-late": {},
    # The keeper restores into its drill vault, and is known there.
    "drill": {"drill-overdue": {"kv-legacy-prod", "hsm-a"}, "drill-failed": set(), "not-verified": {"kv-legacy-prod", "hsm-a"}},
    "drill-failed": {"drill-failed": 1, "not-verified": {"kv-legacy-prod", "hsm-a"}},
    "copies": {"hsm-not-copied": set()},
    "copies-missing": {"hsm-not-copied": {"hsm-a"}},
    # What a person does is no line of an app.
    "person": BACKED_UP | {"unknown-caller": {"KV-A"}, "backup-read": {ACCOUNTS["backups"]}},
    "start": {"app-not-starting": {APPS[0]}},
}

"""What each query finds, by running it: on the lines that the program's own tests wrote, and on rows of Azure's own logs.

The engine is `duckdb-kql` of PyPI, which its authors hold against Microsoft's. It lacks two functions. In place of `column_ifexists`
stands the column, or the default, as the table of the test has the column or not; in place of `url_decode(Uri)` a column in which
the test decoded it. The folder given has the scenes that
`tests/it/alert_rows.rs` left. Each scene is tried with every alert: what is not listed here as found may not be found.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Iterable
from urllib.parse import unquote

import duckdb_kql
from duckdb_kql.engine import schema

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "infra/tests"))
from expand import SUBSCRIPTION  # noqa: E402
from policies import HARDENED, LOG_RULE, Subject, View, alert_name, query  # noqa: E402
from queries import in_pages  # noqa: E402

TYPES = {"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "real": "DOUBLE", "bool": "BOOLEAN", "datetime": "TIMESTAMP",
         "dynamic": "JSON", "guid": "VARCHAR"}
# What Key Vault adds to AzureDiagnostics when it first sends a row, and what stands in for a function.
ADDED = {"AzureDiagnostics": {"identity_claim_oid_g": "string"}, "StorageBlobLogs": {"decoded": "string"}}
STRANGER = "99999999-0000-0000-0000-000000000000"


def tables() -> dict[str, dict[str, str]]:
    text = re.sub(r"^#.*$", "", (Path(__file__).parent / "tables.txt").read_text(encoding="utf-8"), flags=re.M)
    found = {}
    for table in re.split(r"\n(?=\w)", text):
        name, *columns = table.split() or [""]
        if name:
            found[name] = dict((column.split(":") + ["string"])[:2] for column in columns) | ADDED.get(name, {})
    return found


TABLES = tables()


class Workspace:
    """The tables, with rows of one scene."""

    def __init__(self, rows: list[tuple[str, dict]], ago: timedelta = timedelta(minutes=5)):
        self.connection = duckdb_kql.connect()
        then = datetime.now(timezone.utc).replace(tzinfo=None) - ago
        for name, columns in TABLES.items():
            self.connection.execute(f"CREATE TABLE {name} ({', '.join(f'{quoted(c)} {TYPES[t]}' for c, t in columns.items())})")
        batches: dict[tuple, list] = {}
        for table, row in rows:
            given = {"TimeGenerated": then} | row | ({"decoded": unquote(row["Uri"])} if "Uri" in row else {})
            unknown = set(given) - set(TABLES[table])
            assert not unknown, f"{table} has no {unknown}"
            # What a row of Azure's does not say is empty text in a column of text.
            given = {c: "" for c, t in TABLES[table].items() if t == "string"} | given
            values = [json.dumps(v) if isinstance(v, dict) else v for v in given.values()]
            batches.setdefault((table, tuple(given)), []).append(values)
        for (table, columns), values in batches.items():
            names, marks = ", ".join(map(quoted, columns)), f"({', '.join('?' * len(columns))})"
            self.connection.execute(f"INSERT INTO {table} ({names}) VALUES {', '.join([marks] * len(values))}", list(chain(*values)))

    def rows(self, text: str) -> list[dict]:
        translated = sql(there(text))
        found = self.connection.execute(str(translated), translated.parameters)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found.fetchall()]


@cache
def sql(text: str):
    """The translation of a query. The tables of all scenes are the same, and translating takes longer than running."""
    return duckdb_kql.to_sql(text, schema=schema(EMPTY.connection))


def quoted(name: str) -> str:
    return f'"{name}"'


def there(text: str) -> str:
    """What the engine runs: without the two functions that it lacks."""
    table = next(name for name in TABLES if re.search(rf"\b{name}\b", text))
    text = text.replace("url_decode(Uri)", "decoded")
    return re.sub(r'column_ifexists\("(\w+)", (""|real\(0\))\)', lambda m: m[1] if m[1] in TABLES[table] else m[2], text)


EMPTY = Workspace([])


# --- the scenes


def hardened() -> View:
    """The hardened example, with the names of the tests' vault and HSM."""
    text = (ROOT / "infra" / HARDENED).read_text(encoding="utf-8")
    changed = text.replace("'kv-shop-prod'", "'kv-a'").replace("'hsm-payments-prod'", "'hsm-a'")
    return Subject(ROOT / "infra", {HARDENED: changed}).hardened


VIEW = hardened()
ALERTS = {alert_name(alert): query(alert) for alert in VIEW.of(LOG_RULE)}
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


def vault_call(operation: str, caller: str, status: float = 200.0) -> tuple[str, dict]:
    return "AzureDiagnostics", {
        "ResourceProvider": "MICROSOFT.KEYVAULT", "OperationName": operation, "Resource": "KV-A", "httpStatusCode_d": status,
        "identity_claim_oid_g": caller, "id_s": "https://kv-a.vault.azure.net/secrets/db",
    }


HOME, OTHER = f"/subscriptions/{SUBSCRIPTION}", "/subscriptions/00000000-0000-0000-0000-000000000001"
VAULT = f"{OTHER}/resourceGroups/rg-shop-prod/providers/Microsoft.KeyVault/vaults/kv-a"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
BACKUP = "backups/vaults/kv-a/runs/20260110T020000Z-nightly/objects/secret/db/backup"
WORKER = "Failed to start Worker Channel. Process fileName: /home/site/wwwroot/keyvault-backup"

# Rows that no test of the program can write: they are of Azure's own services.
HAND_MADE: dict[str, tuple[list, dict[str, set]]] = {
    "an app is silent": (RUNNING[1:], {"app-not-starting": {APPS[0]}}),
    "its log alone tells of it": ([*RUNNING[1:], ("FunctionAppLogs", {"AppName": APP, "Category": "Function.AdvanceJobs"})], {}),
    "the host alone writes": ([*RUNNING[1:], ("FunctionAppLogs", {"AppName": APP, "Category": "Host.General"})], {"app-not-starting": {APPS[0]}}),
    "a worker in the exceptions": ([*RUNNING, ("AppExceptions", {"AppRoleName": APP, "Properties": {"FormattedMessage": WORKER}})], {"app-not-starting": {APPS[0]}}),
    "a worker in the log": ([*RUNNING, ("FunctionAppLogs", {"AppName": APP, "Category": "Worker", "Message": WORKER})], {"app-not-starting": {APPS[0]}}),
    # https://github.com/Azure/azure-webjobs-sdk, QueueProcessor.cs
    "a poison message": ([*RUNNING, ("AppTraces", {"AppRoleName": APP, "Message": "Message has reached MaxDequeueCount of 5. Moving message to queue 'backup-objects-poison'."})], {"poison-message": {APP}}),
    "a person backs up": ([*RUNNING, vault_call("SecretBackup", STRANGER)], {"unknown-caller": {"KV-A"}}),
    "the restore app restores": ([*RUNNING, vault_call("SecretRestore", principal("restore"))], {}),
    "the keeper backs up": ([*RUNNING, vault_call("SecretBackup", principal("keeper"))], {"unknown-caller": {"KV-A"}}),
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

# Nothing has been backed up, and retention has not been applied, unless a scene says so.
MISSED = {
    "vault-not-backed-up": {"kv-a", "kv-legacy-prod"}, "hsm-not-backed-up": {"hsm-a"},
    "retention-not-applied": {"kv-a", "kv-legacy-prod", "hsm-a"},
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
    "retention": {"retention-not-applied": {"kv-legacy-prod", "hsm-a"}},
    # What a person does is no line of an app.
    "person": BACKED_UP | {"unknown-caller": {"KV-A"}, "backup-read": {ACCOUNTS["backups"]}},
    "start": {"app-not-starting": {APPS[0]}},
}


def told(text: str, workspace: Workspace, wanted) -> set:
    rows = workspace.rows(text)
    with_run = isinstance(wanted, set) and any(isinstance(of, tuple) for of in wanted)
    return {(row["target"], row["run"]) if with_run else row["target"] for row in rows}


# A scene: its rows, and what each alert should find in it; a number wants so many targets.
Scene = tuple[Workspace, dict[str, "set | int"]]


def faults_of(alert: str, text: str, scenes: dict[str, Scene]) -> Iterable[str]:
    """How what an alert finds in the scenes differs from what is wanted. Those come first in which it finds something."""
    for name, (workspace, wanted) in sorted(scenes.items(), key=lambda of: not of[1][1].get(alert)):
        want = (MISSED | wanted).get(alert, set())
        found = told(text, workspace, want)
        if (len(found) if isinstance(want, int) else found) != want:
            yield f"{name}: {alert} finds {sorted(map(str, found))}, and should find {want}"


# Changes of which each has to make an alert find something else.
CHANGES = {
    "vault-not-backed-up": [
        ('"run.closed", "run.round"', '"run.round"'), ('== "true" or (listed', '== "false" or (listed'), ('"vault" and', '"object" and'),
        ('tolong(line["run.unlisted"]) == 0', 'tolong(line["run.unlisted"]) >= 0'), ("ago(26h)", "ago(48h)"), ("kind=leftanti", "kind=inner"),
        ("tolower(tostring(line", "toupper(tostring(line"), ('("Succeeded", "PartiallyFailed")', '("Failed")'),
    ],
    "hsm-not-backed-up": [('== "Succeeded"', '!= "Succeeded"'), ('"hsm.backup.ended"', '"hsm.started"')],
    "retention-not-applied": [('"retention.applied"', '"retention.failed"'), ("ago(48h)", "ago(1m)")],
    "run-not-clean": [
        ('"run.closed", ', ""), ('"hsm.backup.ended", ', ""), (', "restore.ended"', ""), ('verdict != "Succeeded"', 'verdict == "Failed"'),
        ('!= "true"', '== "true"'), ('tostring(line["vault.name"])', '""'), ('tostring(line["run.id"])', '""'),
    ],
    "many-objects-gone": [('"loss.found"', '"loss.open"'), ('line["run.id"]', 'line["loss.run"]')],
    "backup-form-unknown": [('"form.unknown"', '"run.closed"'), ('line["vault.name"]', 'line["hsm.name"]')],
    "job-overdue": [('"job.overdue"', '"job.late"'), ('line["job.id"]', 'line["run.id"]')],
    "app-not-starting": [
        ('"start.failed"', '"start.ended"'), ("ago(10m)", "ago(1m)"), ('"Function."', '"Host."'), ("kind=leftanti", "kind=inner"),
        ("text = tostring(Properties)", "text = OuterMessage"), ("app = AppName, text = Message", 'app = AppName, text = ""'),
    ],
    "poison-message": [('"MaxDequeueCount"', '"MaxDequeue"')],
    "unknown-caller": [('contains "Backup"', 'contains "Get"'), ("!= 401", "!= 200"), ("!in (", "in ("), ('"identity_claim_oid_g"', '"identity_claim"')],
    "throttled": [("== 429", "== 403"), ("> 100", "> 101"), ("> 100", "> 99")],
    "storage-refused": [('"403"', '"404"'), ("> 20", "> 21"), ("> 20", "> 19")],
    "access-changed": [
        ('startswith "Succe"', 'startswith "Fail"'), ("Authorization_d.scope", "Authorization_d.action"), ('"/")\n', '"")\n'),
        ("!startswith \"microsoft.keyvault/vaults/secrets/\"", "!startswith \"microsoft.keyvault/vaults/others/\""),
    ],
    "backup-read": [
        ("url_decode(Uri)", "Uri"), ('"/objects/"', '"/others/"'), ("AccountName =~", "AccountName !~"), ('!startswith "List"', 'startswith "List"'),
        ('!endswith "Properties"', '!endswith "Others"'), ('!startswith "4"', 'startswith "4"'), ("!in (\"<", "in (\"<"), ('== "StorageRead"', '!= "StorageRead"'),
        ("RequesterObjectId)", "AuthenticationType)"), ("in~ (", "!in~ ("),
    ],
    "backup-deleted": [
        ('"StorageDelete"', '"StorageWrite"'), ('!contains "/backups/preflight/"', '!contains "/backups/others/"'), ('!startswith "4"', '!startswith "9"'),
        ("!in (\"<", "in (\"<"),
    ],
    "package-written": [('"StorageWrite", ', ""), ('"/deployments"', '"/jobs"'), ("in~ (", "!in~ (")],
}


def survivors(scenes: dict[str, Scene]) -> list[str]:
    found = [f"{alert} is tried by no change" for alert in sorted(set(ALERTS) - set(CHANGES))]
    for alert, changes in CHANGES.items():
        for old, new in changes:
            text = ALERTS[alert].replace(old, new)
            if text == ALERTS[alert]:
                found.append(f"{alert} has no {old!r}")
            elif next(iter(faults_of(alert, text, scenes)), None) is None:
                found.append(f"{alert} finds the same with {old!r} -> {new!r}")
    return found


# For each query of the pages a scene in which it finds something, and one in which it finds nothing.
OF_PAGES = {
    "top": ("restores", "hsm"), "vault-not-backed-up": ("failed-object", "hsm"), "hsm-not-backed-up": ("hsm-failed", "quiet"),
    "run-not-clean": ("restores", "quiet"), "many-objects-gone": ("deleted", "quiet"), "retention-not-applied": ("retention", "quiet"),
    "app-not-starting": ("start", "quiet"), "poison-message": ("a poison message", "quiet"), "unknown-caller": ("person", "start"),
    "throttled": ("one more is throttled", "quiet"), "storage-refused": ("one more is refused", "quiet"),
    "guard-changed": ("a vault is written", "a right that is refused"), "access-changed": ("a right on a vault", "a right that is refused"),
    "backup-read": ("person", "a person lists and looks"), "backup-deleted": ("the backup app deletes", "a rule deletes a probe"),
    "package-written": ("a package is written", "a package is read"),
}


def of_pages(rows: dict[str, list]) -> list[str]:
    faults, queries = [], {name.removeprefix("operations.md: "): text for name, text in in_pages().items()}
    if set(queries) != set(OF_PAGES):
        faults.append(f"the pages have other queries: {sorted(set(queries) ^ set(OF_PAGES))}")
    restore = next(of for line in rows["restores"] for of in re.findall(r"\d{8}T\d{6}Z-restore-[0-9a-f]+", str(line)) if "Failed" in str(line[1].get("Message")))
    for name in queries.keys() & OF_PAGES.keys():
        text = queries[name].replace("kv-prod", "kv-a").replace("hsm-prod", "hsm-a")
        text = re.sub(r"\d{8}T\d{6}Z-(nightly|restore-\w+)", restore, text)
        hit, miss = (len(Workspace(rows[of]).rows(text)) for of in OF_PAGES[name])
        if not hit or miss:
            faults.append(f"the query of {name} finds {hit} rows in {OF_PAGES[name][0]!r} and {miss} in {OF_PAGES[name][1]!r}")
    return faults


def main(folder: Path) -> int:
    rows = {path.stem: scene(path) for path in sorted(folder.glob("*.json"))}
    faults = [f"there is no scene {name}" for name in sorted(set(OF_SCENES) - set(rows))]
    faults += [f"nothing is wanted of the scene {name}" for name in sorted(set(rows) - set(OF_SCENES))]
    if faults:
        print(*faults, sep="\n")
        return 1
    scenes: dict[str, Scene] = {name: (Workspace(rows[name]), wanted) for name, wanted in OF_SCENES.items()}
    scenes |= {name: (Workspace(given), wanted) for name, (given, wanted) in HAND_MADE.items()}
    # A success of the day before yesterday is none, and an app that ran then does not run.
    scenes["quiet, long ago"] = (Workspace(rows["quiet"], timedelta(hours=27)), {"app-not-starting": {*APPS}})
    for alert, text in ALERTS.items():
        faults += faults_of(alert, text, scenes)
    rows |= {name: given for name, (given, _) in HAND_MADE.items()} | {"deleted": [vault_call("SecretDelete", STRANGER)]}
    faults += of_pages(rows)
    faults += survivors(scenes)
    for fault in faults:
        print(f"FAULT {fault}")
    changes = sum(map(len, CHANGES.values()))
    print(f"{len(ALERTS)} alerts in {len(OF_SCENES)} scenes of the program and {len(scenes) - len(OF_SCENES)} others, {len(OF_PAGES)} queries of the "
          f"pages; {changes} changes tried; {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""What each query finds, by running it: on the lines that the program's own tests wrote, and on rows of Azure's own logs.

The engine is `duckdb-kql` of PyPI, which its authors hold against Microsoft's. It lacks two functions. In place of `column_ifexists`
stands the column, or the default, as the table of the test has the column or not; in place of `url_decode(Uri)` a column in which
the test decoded it. The folder given has the scenes that `tests/it/alert_rows.rs` left. Each scene is tried with every alert: what
`scenes.py` does not list as found may not be found.
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

from scenes import ALERTS, APPS, HAND_MADE, MISSED, OF_SCENES, STRANGER, WORKBOOK, scene, vault_call
from queries import in_pages  # scenes.py says where it is

TYPES = {"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "real": "DOUBLE", "bool": "BOOLEAN", "datetime": "TIMESTAMP",
         "dynamic": "JSON", "guid": "VARCHAR"}
# What Key Vault adds to AzureDiagnostics when it first sends a row, and what stands in for a function.
ADDED = {"AzureDiagnostics": {"identity_claim_oid_g": "string"}, "StorageBlobLogs": {"decoded": "string"}}


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
    "not-verified": [('"verification.ended"', '"verification.failed"'), ('"verification.ended"', '"verification.empty"'), ("ago(48h)", "ago(1m)"), ('!= "vault"', '!= "hsm"')],
    "second-place-late": [('"second.reached"', '"second.late"'), ("ago(48h)", "ago(1m)")],
    "drill-overdue": [('"drill.recent"', '"drill.overdue"'), ("ago(48h)", "ago(1m)")],
    "drill-failed": [('"drill.failed"', '"drill.ended"')],
    "hsm-not-copied": [('"copies.ended"', '"copy.made"'), ('"copies.ended"', '"copy.failed"'), (" == 0", " >= 0"), ("ago(48h)", "ago(1m)")],
    "evidence-not-recorded": [('"evidence.recorded"', '"evidence.failed"'), ("ago(48h)", "ago(1m)")],
    "backup-damaged": [('"backup.damaged"', '"verification.ended"'), ('line["source.name"]', 'line["vault.name"]'), ('line["run.id"]', 'line["job.id"]')],
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
    "unknown-caller": [('contains "Backup"', 'contains "Get"'), ("!= 401", "!= 200"), ("!in (", "in ("), ("!in~ (", "in~ ("), ('"identity_claim_oid_g"', '"identity_claim"')],
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
    "backup-damaged": ("verification", "nothing-verified"), "not-verified": ("verification", "quiet"), "hsm-not-copied": ("copies", "quiet"), "evidence-not-recorded": ("retention", "quiet"),
    "second-place-late": ("second", "quiet"), "drill-overdue": ("drill", "quiet"), "drill-failed": ("drill-failed", "quiet"),
    "app-not-starting": ("start", "quiet"), "poison-message": ("a poison message", "quiet"), "unknown-caller": ("person", "start"),
    "throttled": ("one more is throttled", "quiet"), "storage-refused": ("one more is refused", "quiet"),
    "guard-changed": ("a vault is written", "a right that is refused"), "access-changed": ("a right on a vault", "a right that is refused"),
    "backup-read": ("person", "a person lists and looks"), "backup-deleted": ("the backup app deletes", "a rule deletes a probe"),
    "package-written": ("a package is written", "a package is read"),
}


# The same for each query of the workbook.
OF_WORKBOOK = {
    "Newest backup of each source": ("quiet", "start"), "Runs": ("quiet", "start"), "Nights by verdict": ("quiet", "start"),
    "What failed": ("failed-object", "quiet"), "Losses": ("loss", "quiet"), "What verification found wrong": ("verification", "quiet"),
    "Restores": ("restores", "quiet"), "Retention and verification": ("verification", "quiet"),
}


def of_workbook(rows: dict[str, list]) -> list[str]:
    faults = [] if set(WORKBOOK) == set(OF_WORKBOOK) else [f"the workbook has other queries: {sorted(set(WORKBOOK) ^ set(OF_WORKBOOK))}"]
    for name in WORKBOOK.keys() & OF_WORKBOOK.keys():
        hit, miss = (len(Workspace(rows[of]).rows(WORKBOOK[name])) for of in OF_WORKBOOK[name])
        if not hit or miss:
            faults.append(f"{name} of the workbook finds {hit} rows in {OF_WORKBOOK[name][0]!r} and {miss} in {OF_WORKBOOK[name][1]!r}")
    return faults


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
    faults += of_workbook(rows)
    faults += survivors(scenes)
    for fault in faults:
        print(f"FAULT {fault}")
    changes = sum(map(len, CHANGES.values()))
    print(f"{len(ALERTS)} alerts in {len(OF_SCENES)} scenes of the program and {len(scenes) - len(OF_SCENES)} others, {len(OF_PAGES)} queries of the "
          f"pages and {len(OF_WORKBOOK)} of the workbook; {changes} changes tried; {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

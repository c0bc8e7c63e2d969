"""What a user does with the generated Python client. Arguments: the app's address, and a key of all its functions."""

from __future__ import annotations

import sys

from keyvault_backup_client import Client
from keyvault_backup_client.api.backups import list_backups, start_backup
from keyvault_backup_client.api.restores import plan_restore
from keyvault_backup_client.api.status import get_job, get_status
from keyvault_backup_client.models import (
    BackupJob, BackupOrder, Kind, OrderedObject, PlanRequest, Problem, ProblemType, RestoreObject, RestorePlan, State,
)
from keyvault_backup_client.types import UNSET

URL, KEY = sys.argv[1:]
NAMES = {"api-token", "db-password", "signing", "tls"}  # `db-user` has no backup


def main() -> None:
    client = Client(base_url=URL, headers={"x-functions-key": KEY}, raise_on_unexpected_status=True, timeout=60)

    status = get_status.sync(client=client)
    assert [source.source for source in status.sources] == ["kv-prod"], status

    names, pages, after = [], 0, UNSET
    while pages == 0 or after:
        page = list_backups.sync(client=client, source="kv-prod", limit=2, continue_=after)
        names += [backup.name for backup in page.backups]
        pages, after = pages + 1, page.continue_
    assert set(names) == NAMES and len(names) == len(NAMES) and pages > 1, (names, pages)

    secret = RestoreObject(kind=Kind.SECRET, name="db-password")
    plan = plan_restore.sync(client=client, body=PlanRequest(source="kv-prod", objects=[secret]))
    assert isinstance(plan, RestorePlan) and plan.digest, plan

    secret = OrderedObject(kind=Kind.SECRET, name="db-password")
    started = start_backup.sync(client=client, body=BackupOrder(source="kv-prod", objects=[secret]))
    assert started.state == State.SUCCEEDED, started
    job = get_job.sync(started.job, client=client)
    assert isinstance(job, BackupJob) and job.state == State.SUCCEEDED, job

    problem = list_backups.sync(client=client, source="kv-other")
    assert isinstance(problem, Problem) and problem.next_, problem
    assert problem.type_ == ProblemType("urn:keyvault-backup:problem:unknown-source"), problem

    refused = get_status.sync_detailed(client=client.with_headers({"x-functions-key": "wrong"}))
    assert (refused.status_code, refused.parsed) == (401, None), refused
    print("the generated Python client works")


main()

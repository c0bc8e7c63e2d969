#!/usr/bin/env python3
"""Runs the scripts, and every line of the pages and of preflight that calls one, against an `az` that only writes down what
it is asked.

Arguments, for .ci/run: a file to leave there what was asked, for azure_cli.py; the folder of remedies that the tests of
preflight leave.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pages

INFRA = Path(__file__).resolve().parent.parent

# Answers by the beginning of the command, refusals as [how often, text], several as {"each": [first, second, …, all others]};
# everything else is answered with nothing.
STUB = """#!/usr/bin/env python3
import json, os, shlex, sys
asked, log = " ".join(sys.argv[1:]), os.environ["STUB_LOG"]
with open(log, "a") as lines:
    lines.write(shlex.join(sys.argv[1:]).replace("\\n", " ") + "\\n")
for start, answer in json.loads(os.environ["STUB_ANSWERS"]).items():
    if asked.startswith(start):
        times = sum(" ".join(shlex.split(line)).startswith(start) for line in open(log))
        if isinstance(answer, dict):
            print(answer["each"][min(times, len(answer["each"])) - 1])
        elif isinstance(answer, str):
            print(answer)
        elif times <= answer[0]:
            sys.exit(answer[1])
        break
"""
# The app answers, and nobody waits.
CURL = """#!/bin/sh
case "$*" in
*/api/status/preflight*) printf '%s\\n' "$STUB_PREFLIGHT" ;;
*/api/page*) printf '%s' "$STUB_PAGE" ;;
*) echo well ;;
esac
"""
OTHERS = {"curl": CURL, "sleep": "#!/bin/sh\n"}

READING = ("show", "list", "what-if", "get-access-token", "--method get")
NOTHING = hashlib.sha256(b"").hexdigest()
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"

# Everything that any script asked.
ASKED: set[str] = set()


def run(script: str, *args: str, answers: dict[str, object] | None = None, given: str = "", preflight: str = '{"findings":[]}',
        page: str = "302 https://login.example/") -> tuple[int, list[str], str]:
    """The exit code, what `az` was asked, and what was printed. The script runs in a clone with a package."""
    with tempfile.TemporaryDirectory() as folder:
        clone, stubs, log = Path(folder, "clone"), Path(folder, "stubs"), Path(folder, "log")
        shutil.copytree(INFRA, clone / "infra", ignore=shutil.ignore_patterns("tests", "package"))
        Path(clone, "dist").mkdir()
        for package in ("dist/keyvault-backup.zip", "keyvault-backup.zip"):
            Path(clone, package).touch()
        stubs.mkdir()
        for name, text in {"az": STUB, **OTHERS}.items():
            Path(stubs, name).write_text(text)
            Path(stubs, name).chmod(0o755)
        log.touch()
        environment = {**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}", "STUB_LOG": str(log), "STUB_ANSWERS": json.dumps(answers or {}),
                       "STUB_PREFLIGHT": preflight, "STUB_PAGE": page}
        done = subprocess.run(
            [clone / script, *args], cwd=clone, env=environment, input=given, capture_output=True, text=True, timeout=60)
        lines = log.read_text().splitlines()
        ASKED.update(lines)
        return done.returncode, [" ".join(shlex.split(line)) for line in lines], done.stdout + done.stderr


def changes(asked: list[str]) -> list[str]:
    return [line for line in asked if not any(word in line for word in READING)]


SCRIPTS = ["infra/deploy.sh", *(f"infra/scripts/{name}.sh" for name in (
    "hsm-attach", "hsm-roles", "app-registration", "sign-in-registration", "lock-immutability"))]
FAULTS: list[str] = []


def expect(what: str, true: bool, seen: object) -> None:
    if not true:
        FAULTS.append(f"{what}: {seen}")


def helps_and_refuses() -> None:
    for script in SCRIPTS:
        code, asked, said = run(script, "--help")
        expect(f"{script} --help", code == 0 and "usage:" in said and "--what-if" in said and not asked, said)
        code, asked, said = run(script, "--nonsense")
        expect(f"{script} --nonsense", code == 1 and not asked, said)
        code, asked, said = run(script)
        expect(f"{script} without arguments", code == 1 and not changes(asked), said)


def hsms() -> None:
    attach = ("infra/scripts/hsm-attach.sh", "--hsm", "h", "--identity", IDENTITY)
    code, asked, said = run(*attach, answers={"keyvault show": "/other"})
    expect("an identity is added beside the others", changes(asked) == [f"keyvault update-hsm --hsm-name h --mi-user-assigned /other {IDENTITY} --output none"], asked)
    code, asked, said = run(*attach, answers={"keyvault show": IDENTITY.upper()})
    expect("an identity that is there is left alone", code == 0 and not changes(asked), asked)
    code, asked, said = run(*attach, "--what-if")
    expect("--what-if changes no HSM", code == 0 and not changes(asked) and "would run" in said, said)

    roles = ("infra/scripts/hsm-roles.sh", "--hsm", "h", "--backup", "b")
    code, asked, said = run(*roles, answers={ASSIGNED: {"each": ["0", "1"]}})
    expect("the backup identity gets one role on the whole HSM, and it is read back", code == 0 and len(changes(asked)) == 1
           and "--scope / --role Managed HSM Backup" in changes(asked)[0] and len(asked) == 3, asked)
    code, asked, said = run(*roles, answers={ASSIGNED: "1"})
    expect("a role that is there is left alone", code == 0 and not changes(asked), asked)
    code, asked, said = run(*roles, answers={ASSIGNED: "0"})
    expect("a role that is not there afterwards is no success", code == 1 and "does not get Managed HSM Backup" in said, said)
    code, asked, said = run(*roles, answers={ASSIGNED: {"each": ["0", "1"]}, CREATE: DENIED})
    expect("a role that is there all the same is one", code == 0 and "there all the same" in said, said)
    code, asked, said = run(*roles, "--what-if", answers={ASSIGNED: "0"})
    expect("--what-if grants no role", code == 0 and not changes(asked), asked)
    code, asked, said = run(*roles, answers={ASSIGNED: [1, "ERROR: (AccessDenied)"]})
    expect("where the assignments cannot be read nothing is granted", code == 1 and not changes(asked) and "cannot be read" in said, said)


ASSIGNED, CREATE, DELETE, RECORD = (f"{of} " for of in (
    "keyvault role assignment list", "keyvault role assignment create", "keyvault role assignment delete", "storage blob upload"))
DENIED: list[object] = [9, "ERROR: (AccessDenied) Not authorized to access Microsoft.KeyVault/managedHsm/roleAssignments/write/action"]
OF_RESTORE = ("infra/scripts/hsm-roles.sh", "--hsm", "H", "--restore", "r", "--account", "a")


def assigned(restore: object, backup: object) -> dict[str, object]:
    """What the HSM says of the two roles of a restore, one call after the other."""
    listed = "keyvault role assignment list --hsm-name h --scope / --assignee-object-id r --query [?roleName=='Managed HSM {}'"
    return {listed.format("Restore"): restore, listed.format("Backup"): backup}


def rights_for_a_restore() -> None:
    grant, revoke, new = (*OF_RESTORE, "--grant-restore", "--hours", "4"), (*OF_RESTORE, "--revoke-restore"), {"each": ["0", "1"]}
    before = time.time()
    code, asked, said = run(*grant, answers=assigned(new, new))
    kinds = [" ".join(line.split()[:4]) for line in changes(asked)]
    expect("the end is recorded before the two roles are given", code == 0 and kinds[0].startswith(RECORD)
           and kinds[1:] == [CREATE.strip()] * 2, asked)
    name = re.search(r"--name attestations/hsm-restore/h/(\d{8}T\d{6}Z)\.r\.until-(\d{8}T\d{6}Z) ", changes(asked)[0])
    begin, end = (calendar.timegm(time.strptime(at, "%Y%m%dT%H%M%SZ")) for at in name.groups()) if name else (0, 0)
    expect("the record has the hours that were asked for", end - begin == 4 * 3600 and 0 <= begin - int(before) < 60, asked)
    expect("the record overwrites none", "--overwrite false" in changes(asked)[0] and "--auth-mode login" in changes(asked)[0], asked)
    line = next((line for line in said.splitlines() if line.startswith("infra/scripts/")), "nothing")
    code, asked, _ = run(*shlex.split(line), answers=assigned({"each": ["1", "0"]}, {"each": ["1", "0"]}))
    expect("the command that it prints revokes", code == 0 and [a.startswith(DELETE) for a in changes(asked)] == [True, True, False]
           and re.search(r"--name attestations/hsm-restore/h/\d{8}T\d{6}Z\.r\.revoked ", changes(asked)[2]), asked)

    auditor = {"keyvault role assignment list --hsm-name h --scope / --assignee-object-id r --query [?roleName=='Managed HSM Crypto Auditor'": new}
    code, asked, said = run(*grant, "--drill", answers={**assigned(new, new), **auditor})
    line = next((line for line in said.splitlines() if line.startswith("infra/scripts/")), "nothing")
    expect("who drills also sees which keys there are, and the command that revokes says so", code == 0 and len(changes(asked)) == 4
           and any("Managed HSM Crypto Auditor" in change for change in changes(asked)) and line.endswith("--revoke-restore --drill"), asked)
    code, _, said = run("infra/scripts/hsm-roles.sh", "--hsm", "h", "--backup", "b", "--drill")
    expect("who backs up does not drill", code == 1 and "--drill goes with --restore" in said, said)

    code, asked, said = run(*grant, answers=assigned("1", "1"))
    expect("granted again it has a new end and nothing else", code == 0 and len(changes(asked)) == 1 and changes(asked)[0].startswith(RECORD), asked)
    code, asked, said = run(*grant, answers={RECORD: DENIED, **assigned(new, new)})
    expect("an end that cannot be recorded grants nothing", code == 1 and len(changes(asked)) == 1 and "nothing is granted" in said, said)
    code, asked, said = run(*grant, answers={CREATE: DENIED, **assigned(new, new)})
    expect("roles that are there in spite of AccessDenied are there", code == 0 and said.count("there all the same") == 2, said)
    code, asked, said = run(*grant, answers={CREATE: DENIED, **assigned(new, "0")})
    expect("a role that is refused ends it with the command that revokes the other", code == 1
           and "does not get Managed HSM Backup" in said and "--revoke-restore" in said, said)
    code, asked, said = run(*grant, answers=assigned(new, {"each": ["0", "", "", "", "", ""]}))
    expect("a role of which nothing is known afterwards ends it with that command, too", code == 1 and "not known" in said
           and "--revoke-restore" in said, said)
    code, asked, said = run(*revoke, answers=assigned("", {"each": ["1", "0"]}))
    expect("a role of which nothing is known is not recorded as revoked, and the other is taken away", code == 1
           and "still has Managed HSM Restore, as" in said and [a.startswith(DELETE) for a in changes(asked)] == [True], said)
    code, asked, said = run(*grant, answers=assigned({"each": ["0", "0", "0", "1"]}, new))
    expect("a role that shows late is waited for", code == 0, said)
    code, asked, said = run(*grant, "--what-if", answers=assigned("0", "0"))
    expect("--what-if grants no restore, and says what it would do", code == 0 and not changes(asked) and said.count("would run") == 3, said)

    code, asked, said = run(*revoke, answers=assigned("0", "0"))
    expect("revoked again it is recorded again and nothing is deleted", code == 0 and len(changes(asked)) == 1 and changes(asked)[0].startswith(RECORD), asked)
    code, asked, said = run(*revoke, answers=assigned("1", {"each": ["1", "0"]}))
    expect("a role that stays is not recorded as revoked", code == 1 and "still has Managed HSM Restore, as" in said
           and not any(a.startswith(RECORD) for a in asked) and sum(a.startswith(DELETE) for a in asked) == 2, said)
    code, asked, said = run(*revoke, answers={DELETE: DENIED, **assigned({"each": ["1", "0"]}, "0")})
    expect("a role that is gone in spite of AccessDenied is gone", code == 0 and any(a.startswith(RECORD) for a in asked), said)
    code, asked, said = run(*revoke, answers={RECORD: DENIED, **assigned("0", "0")})
    expect("a revocation that cannot be recorded is told", code == 1 and "cannot be recorded" in said, said)
    for wrong in ((), ("--grant-restore",), ("--grant-restore", "--hours", "0"), ("--grant-restore", "--hours", "169"),
                  ("--grant-restore", "--hours", "4h"), ("--grant-restore", "--hours", "4", "--revoke-restore"),
                  ("--revoke-restore", "--hours", "4"), ("--grant-restore", "--hours", "4", "--backup", "r")):
        code, asked, said = run(*OF_RESTORE, *wrong)
        expect(f"{' '.join(wrong) or 'neither grant nor revoke'} changes nothing", code == 1 and not asked and "error: " in said, said)
    code, asked, said = run(*(word for word in grant if word not in ("--account", "a")))
    expect("without an account there is no place for the end", code == 1 and not asked and "--account is needed" in said, said)


def write_protection() -> None:
    lock = ("infra/scripts/lock-immutability.sh", "--account", "a", "--group", "g")
    unlocked = {"storage account show": "Unlocked 90"}
    code, asked, said = run(*lock, answers=unlocked, given="b\n")
    expect("a wrong name locks nothing", code == 1 and not changes(asked), asked)
    code, asked, said = run(*lock, "--yes", "a", answers=unlocked)
    expect("the right name locks", code == 0 and len(changes(asked)) == 1 and "state=Locked" in changes(asked)[0], asked)
    code, asked, said = run(*lock, "--yes", "a", answers={"storage account show": "Locked 90"})
    expect("what is locked stays as it is", code == 0 and not changes(asked), asked)
    code, asked, said = run(*lock, "--what-if", answers=unlocked)
    expect("--what-if locks nothing", code == 0 and not changes(asked), asked)
    code, asked, said = run(*lock, "--yes", "a", answers={"storage account show": " "})
    expect("an account without a policy is refused", code == 1 and not changes(asked), said)


# The app roles that the program asks for.
APP_ROLES = ("Backup.Read", "Backup.Write", "Restore.Operator", "Restore.Approver")


def registration() -> None:
    app = ("infra/scripts/app-registration.sh", "--environment", "e", "--grant", "Restore.Operator=who")
    known = {"cloud show": "https://graph.example/", "ad app list": "client", "ad sp list": "principal", "rest --method get": "0"}
    code, asked, said = run(*app, answers=known)
    expect("assignment is required and the role is given", code == 0 and any("appRoleAssignmentRequired=true" in a for a in asked)
           and any(a.startswith("rest --method post") for a in asked) and said.startswith("client\n"), said)
    roles = next(a for a in asked if a.startswith("ad app update"))
    expect("all roles of the program are made", all(f'"value": "{role}"' in roles for role in APP_ROLES), roles)
    code, asked, said = run(*app, "--what-if", answers=known)
    expect("--what-if registers nothing", code == 0 and not [a for a in changes(asked)], asked)
    code, asked, said = run("infra/scripts/app-registration.sh", "--environment", "e", "--grant", "Root=who", answers=known)
    expect("an unknown role is refused", code == 1, said)


def sign_in() -> None:
    app = ("infra/scripts/sign-in-registration.sh", "--environment", "e")
    after = (*app, "--host", "p.example", "--identity", "proof", "--grant", "ada")
    known = {"cloud show --query endpoints.microsoft": "https://graph.example/", "cloud show --query endpoints.activeDirectory": "https://login.example",
             "account show": "tenant", "ad app list": "client", "ad sp list": "principal", "rest --method get": "0"}
    code, asked, said = run(*app, answers={**known, "ad app list": "", "ad app create": "client"})
    roles = next((a for a in asked if a.startswith("ad app update")), "")
    expect("before the deployment there is one role, for people, and a client id", code == 0 and said.startswith("client\n")
           and '"value": "Backup.Read"' in roles and roles.count('"value"') == 1 and '["User"]' in roles, said)
    expect("and neither an address nor a credential", not any("redirect" in a or "federated" in a for a in asked), asked)
    expect("assignment is required, and all may say who they are", any("appRoleAssignmentRequired=true" in a for a in asked)
           and any('"scope": "openid profile email"' in a and "AllPrincipals" in a for a in asked), asked)
    code, asked, said = run(*after, answers=known)
    credential = next((a for a in asked if a.startswith("ad app federated-credential create")), "")
    expect("after it, people come back to the app", any("--web-redirect-uris https://p.example/.auth/login/aad/callback" in a for a in asked), asked)
    expect("and its identity stands for a secret", code == 0 and '"issuer": "https://login.example/tenant/v2.0", "subject": "proof", '
           '"audiences": ["api://AzureADTokenExchange"]' in credential, credential)
    expect("no secret is made", not any("credential reset" in a or "passwords" in a for a in asked), asked)
    expect("who is named gets the role", any("rest --method post" in a and '"principalId": "ada"' in a for a in asked), asked)
    for authority, cloud in (("https://login.example.us", "USGov"), ("https://login.example.cn/", "China")):
        code, asked, said = run(*after, answers={**known, "cloud show --query endpoints.activeDirectory": authority})
        expect(f"in the cloud of {authority} the audience is another", any(f'"api://AzureADTokenExchange{cloud}"' in a for a in asked), asked)
    code, asked, said = run(*after, answers={**known, "ad app federated-credential list": "there", "rest --method get": "1"})
    expect("a second run makes nothing twice", code == 0 and not any(" create" in a or "--method post" in a for a in asked)
           and any("federated-credential-id there" in a for a in asked), asked)
    code, asked, said = run(*after, "--what-if", answers=known)
    expect("--what-if changes no registration", code == 0 and not changes(asked) and "would run" in said, asked)
    for wrong in (("--host", "p.example"), ("--identity", "proof"), ("--host", "https://p.example/", "--identity", "proof")):
        code, asked, said = run(*app, *wrong, answers=known)
        expect(f"{wrong} changes nothing", code == 1 and not asked and "error: " in said, said)


def outputs(name: str, **values: str) -> dict[str, object]:
    """What a deployment says of itself."""
    return {f"deployment sub show --name {name} --query properties.outputs.{key}.value": value for key, value in values.items()}


def deployment() -> None:
    code, asked, said = run("infra/deploy.sh", "--location", "westeurope", "--what-if")
    expect("--what-if deploys nothing", code == 0 and len(asked) == 2 and all("what-if" in a for a in asked), asked)
    code, asked, said = run("infra/deploy.sh", "--location", "westeurope", "--skip-package", given="n\n")
    expect("no deploys nothing", code == 1 and all("what-if" in a for a in asked), asked)

    everything = outputs("keyvault-backup-main-westeurope", resourceGroupName="g", hsmNames="h", hsmIdentityResourceId=IDENTITY,
                         backupPrincipalId="b", restorePrincipalId="r", backupAppName="one", restoreAppName="other",
                         backupAppHostName="one.example", restoreAppHostName="other.example", keeperAppName="third",
                         keeperAppHostName="third.example", backupAccountNames="a")
    everything |= {ASSIGNED: {"each": ["0", "1"]}}
    deploy = ("infra/deploy.sh", "--location", "West Europe", "--yes")
    code, asked, said = run(*deploy, answers=everything)
    expect("all apps get the package once and answer", code == 0 and said.count(": well") == 3 and len(packages(asked)) == 3, said)
    names = {a.split(" --name ")[1].split()[0] for a in asked if a.startswith("deployment sub")}
    expect("deployments are named after template and region", names == {"keyvault-backup-roles-westeurope", "keyvault-backup-main-westeurope"}, names)

    given = [a for a in asked if a.startswith("keyvault role")]
    expect("no restore role stands in an HSM", len(given) == 3 and all("Managed HSM Backup" in a and "-object-id b " in a for a in given), given)
    expect("how to give one for a time is said", "--restore r --account a --grant-restore --hours 4" in said, said)

    page = everything | outputs("keyvault-backup-main-westeurope", pageAppName="page", pageAppHostName="page.example")
    code, asked, said = run(*deploy, answers=page)
    expect("the page app gets the package, and sends people to the sign-in", code == 0 and len(packages(asked)) == 4
           and said.count(": well") == 3 and "https://page.example/api/page" in said, said)
    for answer, why in (("200 ", "did not sign in"), ("401 ", "does not ask people to sign in"), ("302 http://other", "does not ask")):
        code, asked, said = run(*deploy, answers=page, page=answer)
        expect(f"a page app that answers {answer!r} ends it", code == 1 and why in said, said)

    code, asked, said = run(*deploy, "--sha256", NOTHING.upper(), answers=everything)
    expect("the package whose digest was given is deployed", code == 0 and len(packages(asked)) == 3 and "as it must" in said, said)
    expect("as a copy that nobody changes meanwhile", not any("/dist/" in asked[at] for at in packages(asked)), asked)
    for other in (NOTHING.replace("e", "f", 1), "abc"):
        code, asked, said = run(*deploy, "--sha256", other, answers=everything)
        expect(f"no other package is deployed than {other}", code == 1 and not asked and NOTHING in said, said)

    code, asked, said = run(*deploy, answers={k: v for k, v in everything.items() if "keeperApp" not in k})
    expect("an app that is left out gets no package", code == 0 and len(packages(asked)) == 2, said)

    create, roles = "deployment sub create --name keyvault-backup-main-westeurope", (*deploy, "--skip-package", "--skip-hsm")
    unknown = "ERROR: (RoleDefinitionDoesNotExist) The specified role definition with ID 'x' does not exist."
    code, asked, said = run(*roles, answers={create: [2, unknown], **everything})
    expect("a role that is not known yet is waited for", code == 0 and sum(a.startswith(create) for a in asked) == 3
           and "try 3 of 5" in said and "RoleDefinitionDoesNotExist" in said, said)
    code, asked, said = run(*roles, answers={create: [9, unknown]})
    expect("a role that never comes is named", code == 1 and sum(a.startswith(create) for a in asked) == 5 and "roles.bicep first" in said, said)
    code, asked, said = run(*roles, answers={create: [9, "ERROR: (QuotaExceeded)"]})
    expect("another failure ends it at once", code == 1 and sum(a.startswith(create) for a in asked) == 1 and "QuotaExceeded" in said, said)


def packages(asked: list[str]) -> list[int]:
    return [at for at, line in enumerate(asked) if line.startswith("functionapp deployment source config-zip")]


def upgrade() -> None:
    apps = outputs("keyvault-backup-main-westeurope", resourceGroupName="g", backupAppName="one", restoreAppName="other",
                   backupAppHostName="one.example", restoreAppHostName="other.example", backupAccountNames="a\nb")
    deploy = ("infra/deploy.sh", "--location", "westeurope", "--yes", "--skip-hsm")
    create = "deployment sub create --name keyvault-backup-{}-westeurope"

    def at(asked: list[str], what: str) -> int | None:
        return next((i for i, line in enumerate(asked) if line.startswith(create.format(what))), None)

    code, asked, said = run(*deploy, answers=apps)
    expect("where the apps are there, package, roles and infrastructure come in this order", code == 0 and len(packages(asked)) == 2
           and max(packages(asked)) < at(asked, "roles") < at(asked, "main"), asked)
    expect("the app is asked whether it can add, at once and at the end", said.count("one can add backups") == 2, said)

    lives = re.search(r"FRESH: Duration = Duration::from_secs\((\d+)\)", (INFRA.parent / "src/preflight/recent.rs").read_text())
    waits = re.search(r"^probe\(\) \{.*?^    sleep (\d+)$.*?ask_app", (INFRA / "deploy.sh").read_text(), re.M | re.S)
    expect("it waits for longer than the app repeats a report", lives and waits and int(waits[1]) >= int(lives[1]), (lives, waits))

    first = "deployment sub show --name keyvault-backup-main-westeurope --query properties.outputs.backupAppName.value"
    gone = "ERROR: (DeploymentNotFound) Deployment 'keyvault-backup-main-westeurope' could not be found."
    code, asked, said = run(*deploy, answers={first: [1, gone], **{k: v for k, v in apps.items() if k != first}})
    expect("where they are not, the package comes last", code == 0 and packages(asked) and at(asked, "main") < min(packages(asked)), asked)
    code, asked, said = run(*deploy, answers={first: [1, "ERROR: (AuthorizationFailed)"], **{k: v for k, v in apps.items() if k != first}})
    expect("where it is not known nothing is changed", code == 1 and not changes(asked) and "AuthorizationFailed" in said, said)

    known = {"role definition list": "Key Vault Backup Blob Writer s", "account show": "s",
             **outputs("keyvault-backup-roles-westeurope", blobWriterRoleName="r"), **apps}
    refused = '{"findings":[{"name":"container-unwritable"}]}'
    code, asked, said = run(*deploy, answers=known, preflight=refused)
    command = next((line for line in said.splitlines() if line.startswith("az role definition update")), "")
    expect("an app that cannot add ends it before the infrastructure", code == 1 and at(asked, "roles") is not None
           and at(asked, "main") is None, asked)
    words = shlex.split(command)
    role = json.loads(words[-1]) if words else {}
    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
    expect("the command gives write back", role.get("dataActions") == [f"{blobs}/read", f"{blobs}/add/action", f"{blobs}/write"]
           and role["id"] == "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r"
           and role["roleName"] == "Key Vault Backup Blob Writer s", command)
    ASKED.add(shlex.join(words[1:]))
    words = "the probe of today is there, and storage refuses another one like a missing right"
    expect("preflight says so in these words", words in (INFRA.parent / "src/preflight/storage.rs").read_text(), words)
    expect("and names this finding", '"container-unwritable"' in (INFRA.parent / "src/preflight/findings/storage.rs").read_text(), refused)
    code, asked, said = run(*deploy, answers=known, preflight=f'{{"findings":[],"unknown":[{{"result":"{words}"}}]}}')
    expect("what is not known is not called well", code == 0 and said.count("not known today") == 2 and "can add" not in said, said)
    code, asked, said = run(*deploy, answers=known, preflight="")
    expect("an app that says nothing ends it", code == 1 and at(asked, "main") is None, said)
    code, asked, said = run(*deploy, "--skip-roles", answers=known)
    expect("without roles it is asked at the end", code == 0 and said.count("one can add backups") == 1, said)

    rules = "storage account management-policy show"
    for prefix in ("backups/vaults/", "everything", "backups/preflight/\nhsm-backups/"):
        code, asked, said = run(*deploy, answers={rules: prefix, **apps})
        expect(f"a rule for {prefix!r} ends it", code == 1 and "by age alone" in said, said)
    code, asked, said = run(*deploy, answers={rules: [9, "ERROR: (ManagementPolicyNotFound)"], **apps})
    expect("rules that cannot be read end it", code == 1 and "cannot be read" in said, said)
    code, asked, said = run(*deploy, answers={rules: "backups/preflight/", **apps})
    expect("a rule for probes is well, and every account is looked at", code == 0
           and {a.split("--account-name ")[1].split()[0] for a in asked if a.startswith(rules)} == {"a", "b"}, asked)


# What the lines in the pages meet, and what is typed where they ask.
MET: dict[str, object] = {
    **outputs("keyvault-backup-my-westeurope", resourceGroupName="g", backupAppName="one", backupAppHostName="one.example"),
    "storage account show": "Unlocked 90", "cloud show": "https://graph.example/", "ad app list": "client", "ad sp list": "principal",
    "account show": "tenant",
}


def works(source: object, words: tuple[str, ...]) -> None:
    """A line does its work as it stands there. Where it asks, the account's name or a yes is typed."""
    script, *args = words
    args = [NOTHING if word == "DIGEST" else word for word in args]
    typed = args[args.index("--account") + 1] if "--account" in args else "y"
    there = {ASSIGNED: {"each": ["1", "0"] if "--revoke-restore" in args else ["0", "1"]}}
    code, asked, said = run(script, *args, answers=MET | there, given=f"{typed}\n") if script in SCRIPTS else (1, [], "no such script")
    expect(f"{source} does its work", code == 0 and bool(asked), said)


def of_preflight() -> None:
    if not sys.argv[2:]:
        print("LEFT OUT: the lines of preflight: no folder of remedies was given")
        return
    remedies = [path.read_text() for path in sorted(Path(sys.argv[2]).iterdir())]
    found = [(text, words) for text in remedies for words in pages.shell(text) if words[0].startswith("infra/scripts/")]
    expect("preflight has lines for scripts", len(found) >= 3, found)
    for text, words in found:
        works(f"preflight: {text}", words)


def of_the_pages() -> None:
    found = [of for of in pages.commands() if of.kind == "infra"]
    expect("the pages have lines for scripts", sum(len(of.words) > 1 for of in found) >= 8, found)
    for of in found:
        if len(of.words) > 1 or of.whole:
            works(of, of.words)
        else:
            expect(f"{of} is one of the scripts", of.words[0] in SCRIPTS, SCRIPTS)
    for of in pages.undecided(pages.commands()) + pages.stale():
        expect("somebody has to decide who tries this (TRIED and LEFT_OUT in pages.py)", False, of)
    new = pages.Command("new.md", pages.shell("x=$(terraform output) && cargo test")[0])
    expect("a new kind of command is noticed", pages.undecided([new]) == ["new.md: terraform output"], new)


def main() -> int:
    for part in (helps_and_refuses, hsms, rights_for_a_restore, write_protection, registration, sign_in, deployment, upgrade, of_the_pages, of_preflight):
        part()
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text("".join(f"{line}\n" for line in sorted(ASKED)))
    for fault in FAULTS:
        print(f"FAULT {fault}")
    print("the scripts do what they say" if not FAULTS else "not clean")
    return 1 if FAULTS else 0


if __name__ == "__main__":
    sys.exit(main())

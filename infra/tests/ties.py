"""Ties between the templates and the code, both ways: settings, functions, queues, containers, events."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Callable, Iterable

from policies import ACTIVITY_RULE, ASSIGNMENT, CONTAINER, LOG_RULE, QUEUE, Subject, View, alert_name, data_actions, everywhere, query

# What the templates know already and the code does not yet. To become empty.
WILL_EXIST = {"settings": set(), "functions": set(), "queues": set(), "events": set()}

# Names in the container of backups under which the keeper may add, and nothing is written yet.
TO_COME = {"hsm-copies/"}

# Legacy settings that carry a secret. They are for a terminal; the templates never set them.
NEVER_SET = {"KEYVAULT_BACKUP_HSM_BACKUP_SAS", "KEYVAULT_BACKUP_HSM_RESTORE_SAS"}

# What the platform sets by itself.
OF_THE_PLATFORM = {"WEBSITE_AUTH_ENABLED", "WEBSITE_TIME_ZONE", "WEBSITE_SITE_NAME"}

# Settings that the host reads, not the program.
OF_THE_HOST = {
    "AzureWebJobsStorage__blobServiceUri", "AzureWebJobsStorage__queueServiceUri", "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId", "APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}


# Of these the host of the page app alone reads one: whose tokens the platform takes for a client secret.
OF_THE_SIGN_IN = {"OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"}

# Identities in the table of rights of the tests that the templates do not make: people are granted theirs by hand.
NOT_DEPLOYED = {"person", "owner"}

# What Microsoft's roles may do with blobs, in the words of the table.
CONTRIBUTOR = "containers/read containers/write containers/delete blobs/read blobs/write blobs/add/action blobs/move/action blobs/delete"
BUILT_IN = {
    "Storage Blob Data Owner": {"containers/*", "blobs/*"},
    "Storage Blob Data Contributor": set(CONTRIBUTOR.split()),
    "Storage Blob Data Reader": {"containers/read", "blobs/read"},
}


@dataclass
class Code:
    """What the code says. `extra` stands in for what a change would add or take away."""

    root: Path
    without: set = field(default_factory=set)
    extra: dict = field(default_factory=dict)

    @cached_property
    def config(self) -> str:
        return (self.root / "src/config.rs").read_text(encoding="utf-8")

    @cached_property
    def sources(self) -> str:
        return "\n".join(p.read_text(encoding="utf-8") for p in sorted((self.root / "src").rglob("*.rs")))

    def settings(self) -> set[str]:
        """The first column of the tables in docs/settings.md, which is also the documentation of the module."""
        page = self.extra.get("page") or (self.root / "docs/settings.md").read_text(encoding="utf-8")
        found = set(re.findall(r"^\| `([A-Z]\w+)` \|", page, re.M))
        return (found | self.extra.get("settings", set())) - self.without

    def read_settings(self) -> set[str]:
        """What the module asks the environment for."""
        files = [self.root / "src/config.rs", *sorted((self.root / "src/config").glob("*.rs"))]
        code = "\n".join(path.read_text(encoding="utf-8").split("#[cfg(test)]")[0] for path in files)
        lines = (line for line in code.splitlines() if not line.lstrip().startswith("//"))
        found = set(re.findall(r'"(KEYVAULT_BACKUP_\w+|WEBSITE_\w+)"', "\n".join(lines)))
        return found | self.extra.get("read_settings", set())

    def serves(self) -> dict[str, set[str]]:
        """Which functions an app of each role serves, by the table in the code; `all` has those of both."""
        text = self.extra.get("role") or (self.root / "src/domain/role.rs").read_text(encoding="utf-8")
        table = text.split("fn serves(", 1)[1].split("match function {", 1)[1].split("\n        }", 1)[0]
        roles = {
            "self.backs_up()": {"backup"}, "self.restores()": {"restore"}, "self.keeps()": {"keeper"},
            "matches!(self, Self::Page)": {"page"}, "!matches!(self, Self::Page)": {"backup", "restore", "keeper"},
            "true": {"backup", "restore", "keeper", "page"},
        }
        found: dict[str, set[str]] = {role: set() for role in roles["true"]}
        for names, condition in re.findall(r"((?:[|\s]*Function::\w+)+)\s*=>\s*([^\n]+),", table):
            for role in roles.get(condition, set()):
                found[role] |= set(re.findall(r"Function::(\w+)", names))
        return found

    def default_policy(self) -> dict[str, int]:
        text = self.extra.get("policy") or (self.root / "src/domain/retention/policy.rs").read_text(encoding="utf-8")
        found = text.split("impl Default for Policy", 1)[1].split("}", 1)[0]
        return {word: int(number) for word, number in re.findall(r"(\w+): (\d+)", found)}

    def default_of(self, setting: str) -> str:
        page = self.extra.get("page") or (self.root / "docs/settings.md").read_text(encoding="utf-8")
        return re.search(rf"^\| `{setting}` \|.*\| (.+) \|$", page, re.M).group(1)

    def bindings(self) -> dict[str, list[dict]]:
        found = {p.parent.name: json.loads(p.read_text())["bindings"] for p in sorted((self.root / "functions").glob("*/function.json"))}
        found |= self.extra.get("bindings", {})
        return {name: given for name, given in found.items() if name not in self.without}

    def schedules(self) -> set[str]:
        return {s[1:-1] for given in self.bindings().values() for b in given if (s := b.get("schedule", "")).startswith("%")}

    def queues(self) -> dict[str, dict]:
        return {name: b for name, given in self.bindings().items() for b in given if b["type"] == "queueTrigger"}

    def constant(self, name: str) -> str:
        found = self.extra.get(name) or re.search(rf'pub const {name}: &str = "([^"]+)"', self.config).group(1)
        return found

    def layout(self) -> str:
        files = [self.root / "src/catalogue/layout.rs", *sorted((self.root / "src/catalogue/layout").glob("*.rs"))]
        return self.extra.get("layout") or "\n".join(file.read_text(encoding="utf-8") for file in files)

    def prefixes(self) -> set[str]:
        """How the names in the backups container begin; one file has them all."""
        return set(re.findall(r'^(?!\s*//)[^"\n]*"([a-z]+/)', self.layout(), re.M))

    def events(self) -> set[str]:
        found = set(re.findall(r'\bevent = "([a-z.]+)"', self.sources))
        return (found | self.extra.get("events", set())) - self.without

    def fields(self) -> dict[str, set[str]]:
        """What is written with each event, by all statements that write it."""
        found: dict[str, set[str]] = {}
        for event, rest in re.findall(r'\bevent = "([a-z.]+)",(.*?)"', self.sources, re.S):
            found.setdefault(event, set()).update(re.findall(r"([a-z_]+(?:\.[a-z_]+)+) =", rest))
        return found

    def operations(self) -> str:
        return self.extra.get("operations") or (self.root / "docs/operations.md").read_text(encoding="utf-8")

    def vault_rights(self) -> list[dict]:
        """The rights in vaults that the identities have in the tests."""
        rows = json.loads((self.root / "tests/emulator/vault-rights.json").read_text(encoding="utf-8"))
        change = self.extra.get("vault_rights", lambda row: row)
        return [change(row) for row in rows]

    def rights(self) -> list[dict]:
        """The rights that the identities have in the tests."""
        rows = json.loads((self.root / "tests/emulator/rights.json").read_text(encoding="utf-8"))
        change = self.extra.get("rights", lambda row: row)
        return [change(row) for row in rows]

    def host(self) -> dict:
        return self.extra.get("host") or json.loads((self.root / "host.json").read_text())


TIES: dict[str, Callable[[Subject, Code], Iterable[str]]] = {}


def tie(check):
    TIES[check.__name__] = check
    return check


@tie
def every_setting_is_read_and_every_read_one_is_set(subject: Subject, code: Code):
    """The settings of both apps are those that the code reads, and no others."""
    read = (code.settings() - OF_THE_PLATFORM) | code.schedules() | WILL_EXIST["settings"]
    read |= {f"{b['connection']}__{part}" for b in code.queues().values() for part in ("queueServiceUri", "credential", "clientId")}

    def check(view: View):
        for role, app in view.apps.items():
            found = {name for name in view.settings(app) if not name.startswith("AzureWebJobs.")}
            host = OF_THE_HOST | (OF_THE_SIGN_IN if role == "page" else set())
            yield from (f"{role}: {name} is set, and nothing reads it" for name in sorted(found - read - host))
            yield from (f"{role}: {name} is read, and not set" for name in sorted((read | host) - NEVER_SET - found))
            yield from (f"{role}: {name} must never be set" for name in sorted(NEVER_SET & found))
    yield from everywhere(subject, check)


@tie
def the_page_of_settings_is_whole(subject: Subject, code: Code):
    """docs/settings.md has what is read from the environment, and nothing else."""
    read, page = code.read_settings() | code.schedules(), code.settings()
    yield from (f"{name} is read, and not in docs/settings.md" for name in sorted(read - page))
    yield from (f"{name} is in docs/settings.md, and not read" for name in sorted(page - read))


@tie
def every_function_runs_in_one_app(subject: Subject, code: Code):
    """Each function of the code is known, runs in the apps whose role serves it, and is switched off in the others."""
    known = set(code.bindings()) | WILL_EXIST["functions"]
    serves = code.serves()
    for role, app in subject.signed.apps.items():
        settings = subject.signed.settings(app)
        disabled = {name.split(".")[1] for name, value in settings.items() if name.startswith("AzureWebJobs.") and value == "true"}
        yield from (f"{role}: {name} is disabled and does not exist" for name in sorted(disabled - known))
        yield from (f"{role}: {name} runs, and is not of its role" for name in sorted(known - disabled - serves[role]))
        yield from (f"{role}: {name} is disabled, and of its role" for name in sorted(disabled & serves[role]))
    yield from (f"{name} runs nowhere" for name in sorted(known - set().union(*serves.values())))
    yield from (f"{name} is served and does not exist" for name in sorted(set().union(*serves.values()) - known))


@tie
def the_functions_are_listed_as_the_code_has_them(subject: Subject, code: Code):
    """The lists of functions in the templates are those of the table in the code."""
    names = next(s for s in subject.project.files["types.bicep"].of("var") if s.name == "functionNames").value
    listed = {item.key.value: {name.value for name in item.value.items} for item in names.items}
    serves = code.serves()
    shared = set.intersection(*(names for role, names in serves.items() if role != "page"))
    wanted = {role: names - shared for role, names in serves.items()} | {"all": shared}
    yield from (f"{key}: {sorted(listed.get(key, set()))}, and the code has {sorted(names)}"
                for key, names in wanted.items() if listed.get(key) != names)


@tie
def defaults_are_those_of_the_program(subject: Subject, code: Code):
    """What numbers have to fit when they are left out is what the program then takes."""
    given = next(s for s in subject.project.files["types.bicep"].of("var") if s.name == "programDefaults").value
    found = {item.key.value: item.value.value for item in given.items}
    wanted = {"fullPassDays": int(code.default_of("KEYVAULT_BACKUP_FULL_PASS_DAYS")), "keepWithinDays": code.default_policy()["within"]}
    if found != wanted:
        yield f"the templates have {found}, and the program {wanted}"
    if code.default_of("KEYVAULT_BACKUP_RETENTION").strip("`") != " ".join(f"{w}={n}" for w, n in code.default_policy().items() if n):
        yield "docs/settings.md has another default policy"


@tie
def every_queue_is_there(subject: Subject, code: Code):
    """The queues of the triggers and of the code are made in the account of the app that reads them."""
    named = {name: binding["queueName"] for name, binding in code.queues().items()}
    made = {r.name for r in subject.hardened.of(QUEUE)}
    yield from (f"{name} waits for {queue}, which is not made" for name, queue in named.items() if queue not in made)
    for name, function in (("WORK_QUEUE", "BackUpObject"), ("RESTORE_QUEUE", "RestoreObject")):
        if code.constant(name) != named.get(function):
            yield f"the code sends to {code.constant(name)}, and {function} reads {named.get(function)}"
    wanted = set(named.values()) | WILL_EXIST["queues"]
    yield from (f"{queue} is made, and nobody reads it" for queue in sorted(made) if queue.removesuffix("-poison") not in wanted)


@tie
def the_app_says_which_jobs_it_moves_on(subject: Subject, code: Code):
    """The role is that of the identity, and the jobs of the app lie in its own account. The page app moves none, and reads those of
    the app that backs up."""
    def check(view: View):
        for role, app in view.apps.items():
            settings = view.settings(app)
            for name in ("KEYVAULT_BACKUP_JOBS_CONTAINER", "KEYVAULT_BACKUP_QUEUE__queueServiceUri"):
                owner = "backup" if (role, name) == ("page", "KEYVAULT_BACKUP_JOBS_CONTAINER") else role
                if view.account_of(settings[name]) is not view.accounts[f"host of {owner}"]:
                    yield f"{role}: {name} is {settings[name]}"
            if not settings["KEYVAULT_BACKUP_JOBS_CONTAINER"].endswith("/jobs"):
                yield f"{role}: the jobs lie in {settings['KEYVAULT_BACKUP_JOBS_CONTAINER']}"
    yield from everywhere(subject, check)


@tie
def names_in_storage_are_those_of_the_code(subject: Subject, code: Code):
    """What the conditions and the rule for probes name begins as the code's names do."""
    names = next(s for s in subject.project.files["types.bicep"].of("var") if s.name == "storageNames").value
    given = {item.key.value: item.value.value for item in names.items}
    prefixes = {value for name, value in given.items() if name.endswith("Prefix")}
    tops = {value for value in prefixes if value.count("/") == 1} - TO_COME
    if code.prefixes() != tops:
        yield f"the code writes to {sorted(code.prefixes())}, and the templates know {sorted(tops)}"
    yield from (f"{name} is no place in the code" for name in sorted(prefixes - tops - TO_COME) if f'"{name}' not in code.layout())
    yield from (f"{name} is in the code; take it from TO_COME" for name in sorted(TO_COME & code.prefixes()))


def actions_of(subject: Subject, label: str) -> set[str]:
    """What a role may do with containers and blobs, in the words of the table of rights."""
    if label in BUILT_IN:
        return BUILT_IN[label]
    role = subject.roles[label]
    actions = {action for given in role.properties["permissions"] for action in given["actions"]}
    blobs = f"{CONTAINER}/blobs/"
    return {a.replace(blobs, "blobs/").replace(f"{CONTAINER}/", "containers/") for a in actions | data_actions(role)}


def row(identity: str, account: str, container: str, actions: set[str], given: dict | None = None) -> tuple:
    narrowed = [frozenset((given or {}).get(key, [])) for key in ("addsUnder", "addsNotUnder", "deletesUnder")]
    return (identity, account, container, frozenset(actions), *narrowed)


def narrowing(condition: str) -> dict[str, list[str]]:
    """Where a condition lets blobs be added and deleted."""
    found: dict[str, list[str]] = {}
    for part in condition.split(") AND ((!"):
        key = "deletes" if "blobs/delete" in part else "adds"
        found[f"{key}Under"] = re.findall(r"StringLike '([^'*]+)[*]'", part)
        found[f"{key}NotUnder"] = re.findall(r"StringNotLike '([^'*]+)[*]'", part)
    return found


def merged(first: tuple, second: tuple) -> tuple:
    """Two assignments to one identity on one container, as one row. Neither may widen what the other narrows."""
    twice = frozenset(f"{action} twice" for action in (first[3] & second[3]) - {"containers/read", "blobs/read"})
    return (*first[:3], first[3] | second[3] | twice, *(a | b for a, b in zip(first[4:], second[4:])))


def rights_given(subject: Subject, view: View) -> set[tuple]:
    """What the assignments of a deployment allow with blobs, as rows of the table of rights."""
    found: dict[tuple, tuple] = {}
    accounts = {account.id: name for name, account in view.accounts.items()}
    for assignment in view.of(ASSIGNMENT):
        label = subject.role_label(assignment.properties["roleDefinitionId"])
        if label not in BUILT_IN and label not in ("blobWriter", "blobKeeper"):
            continue
        account = next(name for id, name in accounts.items() if (assignment.target.id + "/").startswith(id + "/"))
        container = assignment.target.name if assignment.target.type == CONTAINER else "*"
        under = narrowing(assignment.properties.get("condition") or "")
        holder = view.holder(assignment.properties["principalId"])
        given = row(holder, "host" if account == f"host of {holder}" else account, container, actions_of(subject, label), under)
        found[given[:3]] = merged(found[given[:3]], given) if given[:3] in found else given
    return set(found.values()) | set(rights_in_the_second_place(subject))


def rights_in_the_second_place(subject: Subject) -> Iterable[tuple]:
    there = subject.second
    (role,) = there.of("Microsoft.Authorization/roleDefinitions")
    actions = {action for given in role.properties["permissions"] for action in given["actions"]} | data_actions(role)
    actions = {a.replace(f"{CONTAINER}/blobs/", "blobs/").replace(f"{CONTAINER}/", "containers/") for a in actions}
    for assignment in there.of(ASSIGNMENT):
        holder = "keeper" if assignment.properties["principalId"] == there.params["keeperPrincipalId"] else "somebody else"
        under = narrowing(assignment.properties.get("condition") or "")
        yield row(holder, "second", assignment.target.name, actions, under)


@tie
def the_tests_have_the_rights_of_the_templates(subject: Subject, code: Code):
    """What the emulator lets each identity do is what the templates let it do, no more and no less."""
    table = {row(r["identity"], r["account"], r["container"], set(r["actions"]), r) for r in code.rights()}
    given = rights_given(subject, subject.signed)
    deployed = {r for r in table if r[0] not in NOT_DEPLOYED}
    yield from (f"the tests let {r[0]} do in {r[2]} what no template does: {r[3:]}" for r in deployed - given)
    yield from (f"the templates let {r[0]} do in {r[2]} what the tests do not: {r[3:]}" for r in given - deployed)
    people = {
        row("person", "backups", "backups", actions_of(subject, "blobWriter")),
        row("person", "second", "backups", actions_of(subject, "blobWriter")),
        row("person", "host", "jobs", BUILT_IN["Storage Blob Data Contributor"]),
        row("person", "landing", "hsm-backups", BUILT_IN["Storage Blob Data Reader"]),
    }
    yield from (f"people have other rights in {r[2]} than the pages say" for r in {r for r in table if r[0] == "person"} ^ people)
    yield from (f"{name} is deployed; take it from NOT_DEPLOYED" for name in NOT_DEPLOYED & {r[0] for r in given})


VAULT_ACTIONS = {"readMetadata/action": "list", "read": "list"}


@tie
def the_tests_have_the_vault_rights_of_the_templates(subject: Subject, code: Code):
    """What the emulator lets an app do in vaults is what its role allows, for each kind; and a policy allows the same."""
    table = {r["identity"]: (r["vault"], r["allowed"]) for r in code.vault_rights()}
    for identity, label in (("backup", "backup"), ("restore", "restore"), ("keeper", "drill")):
        found: dict[str, set[str]] = {"secrets": set(), "keys": set(), "certificates": set()}
        for action in data_actions(subject.roles[label]):
            kind, _, word = action.removeprefix("Microsoft.KeyVault/vaults/").partition("/")
            found[kind].add(VAULT_ACTIONS.get(word, word.removesuffix("/action")))
        allowed = set(table.get(identity, ("", []))[1])
        yield from (f"{identity} may {sorted(words)} {kind}, and in the tests {sorted(allowed)}" for kind, words in found.items() if words != allowed)
    yield from (f"{identity} has rights in the tests, and no role" for identity in table.keys() - {"backup", "restore", "keeper"})


@tie
def alerts_wait_for_events_that_are_written(subject: Subject, code: Code):
    """Every event in a query is one that the code writes."""
    written = code.events() | WILL_EXIST["events"]
    for view in subject.views:
        for alert in view.of(LOG_RULE):
            for line in query(alert).splitlines():
                if "where event" in line:
                    condition = line.split("where event", 1)[1].split(" and ")[0]
                    named = re.findall(r'"([a-z.]+)"', condition)
                    yield from (f"{view.name}: {alert.name} waits for {name}" for name in named if name not in written)
                    if not named:
                        yield f"{view.name}: {alert.name} waits for no event"


@tie
def alerts_read_fields_that_are_written(subject: Subject, code: Code):
    """Every field in a query is written with one of its events, and every event has one of the fields."""
    written = code.fields() | code.extra.get("fields", {})
    for view in subject.views:
        for alert in view.of(LOG_RULE):
            text = query(alert)
            read = set(re.findall(r'line\["([a-z_.]+)"\]', text))
            conditions = [line.split("where event", 1)[1].split(" and ")[0] for line in text.splitlines() if "where event" in line]
            events = set(re.findall(r'"([a-z.]+)"', " ".join(conditions)))
            known = set().union(*(written.get(event, set()) for event in events))
            yield from (f"{view.name}: {alert.name} reads {name}" for name in sorted(read - known))
            yield from (f"{view.name}: {alert.name} reads nothing of {event}" for event in sorted(events) if read and not read & written.get(event, set()))


@tie
def every_alert_is_explained(subject: Subject, code: Code):
    """The page for whoever gets an alert has a section for each, and none for alerts that are gone."""
    alerts = {alert_name(r) for kind in (LOG_RULE, ACTIVITY_RULE) for r in subject.hardened.of(kind)}
    explained = set(re.findall(r"^## ([a-z]+(?:-[a-z]+)+|throttled)$", code.operations(), re.M))
    yield from (f"{name} is not explained" for name in sorted(alerts - explained))
    yield from (f"{name} is explained and not there" for name in sorted(explained - alerts))


WITH, WITHOUT = "**With the tool:**", "**Without it:**"


@tie
def alerts_lead_to_the_cause(subject: Subject, code: Code):
    """Each section leads on with the program and without it: by a query, or a command of Azure's."""
    sections = re.split(r"^## ", code.operations(), flags=re.M)
    for name in {alert_name(r) for kind in (LOG_RULE, ACTIVITY_RULE) for r in subject.hardened.of(kind)}:
        text = next((of for of in sections if of.startswith(f"{name}\n")), "")
        ours, _, theirs = text.partition(WITH)[2].partition(WITHOUT)
        if "`keyvault-backup " not in ours and "nothing: it does not" not in ours:
            yield f"{name} leads nowhere with the program"
        if not re.search(r"```kusto|`az |the query at the top of this page", theirs):
            yield f"{name} leads nowhere without it"


@tie
def the_host_file_fits(subject: Subject, code: Code):
    """A prefix stands before HTTP routes, for without it a caller could pass for a timer; messages are retried."""
    host = code.host()
    if not host["extensions"]["http"]["routePrefix"]:
        yield "the route prefix is empty"
    if host["customHandler"]["description"]["defaultExecutablePath"] != "keyvault-backup":
        yield "the host starts something else"
    if host["extensions"]["queues"]["messageEncoding"] != "base64":
        yield "the encoding of messages is another one"


def notes(code: Code) -> Iterable[str]:
    """Names that may leave the list, because the code has them now."""
    have = {
        "settings": code.settings() | code.schedules(),
        "functions": set(code.bindings()),
        "queues": {b["queueName"] for b in code.queues().values()},
        "events": code.events(),
    }
    for kind, names in WILL_EXIST.items():
        yield from (f"{name} exists; take it from WILL_EXIST in ties.py" for name in sorted(names & have[kind]))


def templates(file: str, old: str, new: str):
    return (f"{old!r} -> {new!r} in {file}", lambda subject, code, changed: (changed(subject, file, old, new), code))


def code_without(name: str):
    return (f"the code without {name}", lambda subject, code, changed: (subject, replace(code, without={name})))


def code_with(**extra):
    return (f"the code with {extra}", lambda subject, code, changed: (subject, replace(code, extra=extra)))


APP, TYPES, MAIN, ALERTS = "modules/function-app.bicep", "types.bicep", "main.bicep", "modules/alerts.bicep"
HOST_FILE = {"customHandler": {"description": {"defaultExecutablePath": "keyvault-backup"}}}

ROLES_OF_CODE = (Path(__file__).resolve().parent.parent.parent / "src/domain/role.rs").read_text(encoding="utf-8")

OPERATIONS = (Path(__file__).resolve().parent.parent.parent / "docs/operations.md").read_text(encoding="utf-8")

TIE_MUTATIONS = {
    "every_setting_is_read_and_every_read_one_is_set": [
        templates(APP, "KEYVAULT_BACKUP_VAULT_RATE:", "KEYVAULT_BACKUP_VAULTS_RATE:"),
        templates(APP, "        VERIFY_SCHEDULE: shared.verifySchedule\n", ""),
        templates(APP, "        COPY_SCHEDULE: shared.copySchedule\n", ""),
        templates(APP, "        DRILL_SCHEDULE: shared.drillSchedule\n", ""),
        templates(APP, "KEYVAULT_BACKUP_VERIFY_WITHIN_DAYS:", "KEYVAULT_BACKUP_VERIFY_DAYS:"),
        templates(APP, "        VAULT_BACKUP_SCHEDULE: shared.vaultBackupSchedule\n", ""),
        templates(APP, "KEYVAULT_BACKUP_QUEUE__credential: 'managedidentity'", "KEYVAULT_BACKUP_QUEUE__tenant: 'managedidentity'"),
        templates(APP, "      signInSettings,\n", ""),
        templates(APP, "KEYVAULT_BACKUP_ROLE: role", "KEYVAULT_BACKUP_ROLE: role\n        KEYVAULT_BACKUP_HSM_BACKUP_SAS: ''"),
        code_without("KEYVAULT_BACKUP_PLACES"),
        code_with(settings={"KEYVAULT_BACKUP_NEW"}),
    ],
    "the_page_of_settings_is_whole": [
        code_with(read_settings={"KEYVAULT_BACKUP_NEW"}),
        code_with(settings={"KEYVAULT_BACKUP_NEW"}),
        code_with(page="| `VAULT_BACKUP_SCHEDULE` | when |"),
    ],
    "every_function_runs_in_one_app": [
        templates(TYPES, "['RestoreObject', 'Restores']", "['RestoreObject']"),
        templates(TYPES, "['NightlyVaultBackup', ", "['NightlyVaultBackups', "),
        templates(MAIN, "disabledFunctions: concat(functionNames.restore, functionNames.keeper, ", "disabledFunctions: concat(functionNames.backup, functionNames.keeper, "),
        templates(MAIN, "concat(functionNames.restore, functionNames.keeper, functionNames.page)", "functionNames.restore"),
        templates(MAIN, "concat(functionNames.restore, functionNames.keeper, functionNames.page)", "concat(functionNames.restore, functionNames.keeper)"),
        templates(MAIN, "concat(functionNames.backup, functionNames.restore, ", "concat(functionNames.backup, "),
        templates(MAIN, "      functionNames.keeper,\n      functionNames.all\n", "      functionNames.keeper\n"),
        code_with(bindings={"SomethingNew": []}),
    ],
    "the_functions_are_listed_as_the_code_has_them": [
        templates(TYPES, "['RestoreObject', 'Restores']", "['RestoreObject']"),
        templates(TYPES, "keeper: ['ApplyRetention', 'VerifyBackups', 'CopyBackups', 'RestoreDrill']", "keeper: ['ApplyRetention', 'VerifyBackups', 'CopyBackups']"),
        templates(TYPES, "page: ['Page']", "page: ['Page', 'Status']"),
        templates(TYPES, "all: ['AdvanceJobs', 'Status']", "all: ['AdvanceJobs', 'Status', 'Backups']"),
        code_with(role=ROLES_OF_CODE.replace("| Function::Backups", "")),
        code_with(role=ROLES_OF_CODE.replace("Restores => self.restores()", "Restores => true")),
    ],
    "defaults_are_those_of_the_program": [
        templates(TYPES, "fullPassDays: 7", "fullPassDays: 14"),
        templates(TYPES, "keepWithinDays: 35", "keepWithinDays: 30"),
        code_with(policy="impl Default for Policy { fn default() -> Self { Self { within: 34, months: 12, gone: 400 } } }"),
        code_with(policy="impl Default for Policy { fn default() -> Self { Self { within: 35, months: 6, gone: 400 } } }"),
    ],
    "every_queue_is_there": [
        templates(TYPES, "backupQueue: 'backup-objects'", "backupQueue: 'backup-object'"),
        code_with(WORK_QUEUE="other-objects"),
        code_with(bindings={"RestoreObject": [{"type": "queueTrigger", "queueName": "restores", "connection": "KEYVAULT_BACKUP_QUEUE"}]}),
    ],
    "the_app_says_which_jobs_it_moves_on": [
        templates(MAIN, "hostQueueEndpoint: restoreHost!", "hostQueueEndpoint: backupHost"),
        templates(APP, "? '${hostBlobEndpoint}${storageNames.jobsContainer}'", "? shared.backupContainerUrl"),
        templates(APP, "          : jobsContainerUrl\n", "          : '${hostBlobEndpoint}${storageNames.jobsContainer}'\n"),
        templates(MAIN, "jobsContainerUrl: '${backupHost.outputs", "jobsContainerUrl: '${pageHost!.outputs"),
    ],
    "names_in_storage_are_those_of_the_code": [
        templates(TYPES, "auditPrefix: 'audit/'", "auditPrefix: 'trail/'"),
        templates(TYPES, "hsmRecordPrefix: 'hsms/'", "hsmRecordPrefix: 'hsm/'"),
        templates(TYPES, "probePrefix: 'preflight/'", "probePrefix: 'probes/'"),
        templates(TYPES, "acknowledgedPrefix: 'acknowledged/'", "acknowledgedPrefix: 'known/'"),
        templates(TYPES, "copyPrefix: 'retention/copies/'", "copyPrefix: 'retention/doubles/'"),
        templates(TYPES, "verificationPrefix: 'verifications/'", "verificationPrefix: 'checks/'"),
        templates(TYPES, "peoplePrefix: 'retention/people/'", "peoplePrefix: 'retention/persons/'"),
        templates(TYPES, "drillPrefix: 'drills/'", "drillPrefix: 'exercises/'"),
        templates(TYPES, "evidencePrefix: 'evidence/'", "evidencePrefix: 'proofs/'"),
        code_with(layout='format!("backups/{vault}/")'),
    ],
    "the_tests_have_the_rights_of_the_templates": [
        templates("roles.bicep", "blobs/add/action'", "blobs/write'"),
        templates("modules/backup-storage.bicep", "      storageNames.backupPrefix\n", ""),
        templates("modules/backup-storage.bicep", "[storageNames.auditPrefix, ", "["),
        templates("modules/grant-container.bicep", "condition: empty(conditions) ? null : join(conditions, ' AND ')", "condition: null"),
        templates("modules/backup-storage.bicep", "      writesNotUnder: [storageNames.peoplePrefix]\n", ""),
        templates("modules/backup-storage.bicep", "        storageNames.copyPrefix\n", ""),
        templates("modules/backup-storage.bicep", "roleDefinitionName: keeperRoleName", "roleDefinitionName: writerRoleName"),
        templates("modules/hsm-storage.bicep", "roleDefinitionName: keeperRoleName", "roleDefinitionName: builtInRoles.storageBlobDataReader"),
        code_with(rights=lambda row: row | {"deletesUnder": ["vaults/", "audit/"]} if row["identity"] == "keeper" else row),
        templates("modules/hsm-storage.bicep", "roleDefinitionName: builtInRoles.storageBlobDataReader", "roleDefinitionName: builtInRoles.storageBlobDataContributor"),
        code_with(rights=lambda row: row | {"actions": [*row["actions"], "blobs/write"]} if row["identity"] == "restore" else row),
        code_with(rights=lambda row: row | {"addsUnder": ["acknowledged/"]} if row["identity"] == "person" else row),
        code_with(rights=lambda row: row | {"identity": "restore"} if row["identity"] == "keeper" else row),
        code_with(rights=lambda row: row | {"actions": [*row["actions"], "blobs/add/action"]} if row["identity"] == "page" else row),
        templates("modules/host-storage.bicep", "roleDefinitionName: builtInRoles.storageBlobDataReader", "roleDefinitionName: builtInRoles.storageBlobDataContributor"),
    ],
    "the_tests_have_the_vault_rights_of_the_templates": [
        templates("roles.bicep", "secrets/purge/action'", "secrets/recover/action'"),
        code_with(vault_rights=lambda row: row | {"allowed": [*row["allowed"], "get"]} if row["identity"] == "keeper" else row),
        code_with(vault_rights=lambda row: row | {"identity": "page"} if row["identity"] == "keeper" else row),
    ],
    "alerts_wait_for_events_that_are_written": [
        templates(ALERTS, 'where event == "job.overdue"', 'where event == "job.late"'),
        templates(ALERTS, 'where event == "start.failed"', "where event == line"),
        templates(ALERTS, 'where event == "loss.found"', 'where event == "loss.seen"'),
        templates(ALERTS, 'where event == "backup.damaged"', 'where event == "backup.broken"'),
        templates(ALERTS, 'where event == "verification.ended"', 'where event == "verification.done"'),
    ],
    "alerts_read_fields_that_are_written": [
        templates(ALERTS, 'line["hsm.verdict"]', 'line["hsm.result"]'),
        templates(ALERTS, 'line["run.unlisted"]', 'line["run.hidden"]'),
        templates(ALERTS, 'line["run.clean"]', 'line["run.tidy"]'),
        templates(ALERTS, '"hsm.backup.ended", "restore.ended")', '"hsm.backup.ended", "start.failed")'),
        templates(ALERTS, '| extend target = tostring(line["hsm.name"])', '| extend target = tostring(line["vault.name"])'),
        code_with(fields={"hsm.backup.ended": {"hsm.name"}}),
    ],
    "every_alert_is_explained": [
        templates(ALERTS, "name: 'throttled'", "name: 'throttling'"),
        code_with(operations="## throttled"),
    ],
    "alerts_lead_to_the_cause": [
        code_with(operations=OPERATIONS.replace(WITH, "", 1)),
        code_with(operations=OPERATIONS.replace(WITHOUT, "", 1)),
        code_with(operations=OPERATIONS.replace("**Without it:** `az monitor", "**Without it:** `other", 1)),
        templates(ALERTS, "name: 'throttled'", "name: 'throttling'"),
    ],
    "the_host_file_fits": [
        code_with(host=HOST_FILE | {"extensions": {"http": {"routePrefix": ""}, "queues": {"messageEncoding": "base64"}}}),
        code_with(host=HOST_FILE | {"extensions": {"http": {"routePrefix": "api"}, "queues": {"messageEncoding": "none"}}}),
    ],
}

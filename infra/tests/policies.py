"""What a security reviewer would check, as rules over the resources that each parameter file deploys.

Every rule returns the ways in which it is broken. `mutations.py` holds a change for each rule that has
to break it.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Callable, Iterable

from bicep import ArrayTree, Call, File, For, If, Literal, Name, ObjectTree, Property, Statement, walk
from expand import SUBSCRIPTION, Deployment, Fault, Placeholder, Project, Resource
from shapes import Shapes, children

SMALL, HARDENED, ROLES, SECOND = "main.bicepparam", "main.prod.bicepparam", "roles.bicepparam", "second-place.bicepparam"
# In no example, because it opens something: the hardened one with it.
SIGNED = "main.prod.bicepparam with signIn"
SIGN_IN = "\nparam signIn = {\n  clientId: '00000000-0000-0000-0000-000000000004'\n  subnetPrefix: '10.90.1.0/27'\n}\n"

# Written here a second time on purpose: a wrong GUID in the templates is a wrong right.
ROLE_IDS = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "19e7f393-937e-4f77-808e-94535e297925": "Storage Queue Data Reader",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
    "8a0f0c08-91a1-4084-bc3d-661d67233fed": "Storage Queue Data Message Processor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
VAULT, HSM = "Microsoft.KeyVault/vaults", "Microsoft.KeyVault/managedHSMs"
ACCOUNT = "Microsoft.Storage/storageAccounts"
BLOBS, QUEUES = f"{ACCOUNT}/blobServices", f"{ACCOUNT}/queueServices"
CONTAINER, QUEUE = f"{BLOBS}/containers", f"{QUEUES}/queues"
SITE, CONFIG = "Microsoft.Web/sites", "Microsoft.Web/sites/config"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
ASSIGNMENT, ROLE = "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/roleDefinitions"
LOCK, DIAGNOSTICS = "Microsoft.Authorization/locks", "Microsoft.Insights/diagnosticSettings"
WORKSPACE, COMPONENT = "Microsoft.OperationalInsights/workspaces", "Microsoft.Insights/components"
WORKBOOK = "Microsoft.Insights/workbooks"
LOG_RULE, ACTIVITY_RULE = "Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/activityLogAlerts"
ACTION_GROUP, ENDPOINT = "Microsoft.Insights/actionGroups", "Microsoft.Network/privateEndpoints"


class View:
    """The resources of one parameter file, by what they are for."""

    def __init__(self, name: str, deployment: Deployment):
        self.name, self.deployment = name, deployment
        self.params = deployment.params

    def of(self, kind: str) -> list[Resource]:
        return self.deployment.of(kind)

    @cached_property
    def identities(self) -> dict[str, Resource]:
        """By what they are for: the third part of the name."""
        return {r.name.split("-")[2]: r for r in self.of(IDENTITY)}

    def holder(self, principal: str) -> str:
        """Whose object id it is."""
        for name, identity in self.identities.items():
            if principal == f"<{IDENTITY}/{identity.name}>.properties.principalId":
                return name
        return f"somebody else ({principal})"

    @cached_property
    def apps(self) -> dict[str, Resource]:
        return {self.settings(app)["KEYVAULT_BACKUP_ROLE"]: app for app in self.of(SITE)}

    def config(self, app: Resource, name: str) -> dict:
        return next(r for r in self.of(CONFIG) if r.parent is app and r.name == name).properties

    def settings(self, app: Resource) -> dict:
        return self.config(app, "appsettings")

    @cached_property
    def accounts(self) -> dict[str, Resource]:
        """By what they are for, as the apps use them."""
        found = {}
        for role, app in self.apps.items():
            settings = self.settings(app)
            found[f"host of {role}"] = self.account_of(settings["AzureWebJobsStorage__blobServiceUri"])
            found["backups"] = self.account_of(settings["KEYVAULT_BACKUP_CONTAINER"])
            if settings["KEYVAULT_BACKUP_HSM_CONTAINER"]:
                found["landing"] = self.account_of(settings["KEYVAULT_BACKUP_HSM_CONTAINER"])
        return found

    def account_of(self, url: str) -> Resource | None:
        return next((r for r in self.of(ACCOUNT) if url.startswith(f"<{ACCOUNT}/{r.name}>")), None)

    def below(self, kind: str, account: Resource) -> list[Resource]:
        return [r for r in self.of(kind) if r.id.startswith(account.id + "/")]

    def guarded_by(self, kind: str, target: Resource) -> list[Resource]:
        return [r for r in self.of(kind) if r.target is not None and r.target.id == target.id]

    @property
    def private(self) -> bool:
        return self.params["network"] is not None

    @property
    def signs_in(self) -> bool:
        return self.params["signIn"] is not None

    @property
    def targets(self) -> list[dict]:
        return (self.params["restore"] or {}).get("targetVaults", [])

    @property
    def drill_vaults(self) -> list[dict]:
        return self.params["drillVaults"]

    @property
    def drilled(self) -> list[dict]:
        """The sources that are drilled: vaults, and HSMs."""
        return [*(of for vault in self.drill_vaults for of in vault["sources"]), *(h for h in self.params["hsms"] if h.get("drill"))]

    @property
    def known_vaults(self) -> set[str]:
        return {v["name"] for v in [*self.params["vaults"], *self.targets]}


class Subject:
    """What the rules look at: the files, and what the parameter files deploy."""

    def __init__(self, root: Path, changed: dict[str, str] | None = None, known: dict[str, File] | None = None):
        self.root, self.changed = root, changed or {}
        self.project = Project(root, changed, known)
        self.linter = (changed or {}).get("bicepconfig.json") or (root / "bicepconfig.json").read_text()

    @cached_property
    def roles(self) -> dict[str, Resource]:
        return {r.symbol: r for r in self.project.deployment(ROLES, {"VAULT_SUBSCRIPTION_IDS": "other"}).of(ROLE)}

    @cached_property
    def views(self) -> list[View]:
        return [*(View(name, self.project.deployment(name)) for name in (SMALL, HARDENED)), self.and_page(SIGN_IN)]

    @cached_property
    def second(self) -> Deployment:
        return self.project.deployment(SECOND)

    @property
    def hardened(self) -> View:
        return self.views[1]

    @property
    def signed(self) -> View:
        """The hardened one, with the page app."""
        return self.views[2]

    def and_page(self, sign_in: str) -> View:
        text = (self.changed.get(HARDENED) or (self.root / HARDENED).read_text(encoding="utf-8")) + sign_in
        project = Project(self.root, {**self.changed, HARDENED: text}, known_but(self, HARDENED))
        return View(SIGNED, project.deployment(HARDENED))

    def role_label(self, definition: str) -> str:
        # A GUID that was made up by `guid()` says what it was made from, with slashes in it.
        name = definition.split("/roleDefinitions/")[1]
        custom = {r.name: symbol for symbol, r in self.roles.items()}
        return custom.get(name) or ROLE_IDS.get(name) or f"unknown role {name}"


Rule = Callable[[Subject], Iterable[str]]
RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    RULES[check.__name__] = check
    return check


def differing(where: str, properties: dict, wanted: dict) -> Iterable[str]:
    for path, value in wanted.items():
        found = properties
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found != value:
            yield f"{where}: {path} is {found!r} and should be {value!r}"


def everywhere(subject: Subject, check: Callable[[View], Iterable[str]]) -> Iterable[str]:
    for view in subject.views:
        for fault in check(view):
            yield f"{view.name}: {fault}"


# --- the files themselves


@rule
def parameter_files_deploy(subject: Subject):
    """Every parameter file expands: nothing is missing, and nothing is known too late."""
    for name in (SMALL, HARDENED, ROLES, SECOND):
        try:
            subject.project.deployment(name)
        except Fault as fault:
            yield f"{name}: {fault}"


@rule
def what_may_be_missing_is_read_with_care(subject: Subject):
    """With `.?`, or with `!` where it is known to be there: the compiler's linter refuses anything else."""
    for name in subject.project.files:
        yield from (f"{name}: {fault}" for fault in Shapes(subject.project, name).careless())


def declared(tree) -> Iterable[Statement]:
    """Variables, resources and modules, also those inside others."""
    return (node for node in walk(tree) if isinstance(node, Statement) and node.kind in ("var", "resource", "module"))


def body(statement: Statement) -> ObjectTree | None:
    """Of what is deployed once; what a loop waits for is not looked into."""
    value = statement.value.body if isinstance(statement.value, If) else statement.value
    return value if isinstance(value, ObjectTree) else None


def waits(statement: Statement) -> list[str]:
    properties = body(statement).items if body(statement) else ()
    found = [item.value for item in properties if isinstance(item, Property) and item.key == Literal("dependsOn")]
    return [item.name for tree in found if isinstance(tree, ArrayTree) for item in tree.items if isinstance(item, Name)]


def named(tree) -> Iterable[str]:
    """What is read, besides `dependsOn` and what is declared inside."""
    if isinstance(tree, Name):
        yield tree.name
    if isinstance(tree, Statement) or (isinstance(tree, Property) and tree.key == Literal("dependsOn")):
        return
    for child in children(tree):
        yield from named(child)


@rule
def nothing_waits_twice(subject: Subject):
    """What is read is waited for anyway, and what that reads, too. The compiler's linter refuses it a second time."""
    for name, file in subject.project.files.items():
        reads = {s.name: set(named(s.value)) for s in declared(file.statements)}
        for outer in declared(file.statements):
            if outer.kind == "resource" and body(outer):
                for inner in body(outer).nested:
                    reads[inner.name].add(outer.name)
        single = {s.name for s in declared(file.statements) if not isinstance(s.value, For)}
        for statement in declared(file.statements):
            reached, ahead = set(), [statement.name]
            while ahead:
                new = reads.get(ahead.pop(), set()) - reached
                reached |= new
                ahead += new
            yield from (f"{name}: {statement.name} waits for {other} twice" for other in waits(statement) if other in reached & single)


@rule
def everything_is_described(subject: Subject):
    """Each file says what it is; each parameter whether it has to be given, and says so truly."""
    for name, file in subject.project.files.items():
        if name.endswith(".bicepparam"):
            continue
        if {s.name for s in file.of("metadata")} != {"name", "description"}:
            yield f"{name}: metadata is missing"
        for statement in file.of("param") + file.of("output"):
            description = statement.decorator("description")
            text = description.args[0].value if description else ""
            nullable = getattr(statement.type, "kind", "") == "nullable"
            word = "Optional." if statement.value is not None or nullable else "Required."
            if not text or (statement.kind == "param" and not text.startswith(word)):
                yield f"{name}: {statement.name} wants a description, beginning with {word}"


@rule
def no_key_is_read(subject: Subject):
    """No function hands out a key, and no output hands out what could open something."""
    for name, file in subject.project.files.items():
        for node in walk(file.statements):
            if isinstance(node, Call) and (node.name.startswith("list") or node.name == "getSecret"):
                yield f"{name}: {node.name}() reads a key"
    for view in subject.views:
        outputs = [view.deployment.outputs, *(module.outputs for module in view.deployment.modules)]
        for key, value in [pair for each in outputs for pair in each.items()]:
            for word in ("ConnectionString", "InstrumentationKey", "key", "secret", "token"):
                if isinstance(value, Placeholder) and f".{word}" in value:
                    yield f"{view.name}: the output {key} holds {value}"


# What Azure takes as a name. The longest is that with the longest name of an environment in it.
NAMES = {
    ACCOUNT: "[a-z0-9]{3,24}",
    QUEUE: "[a-z0-9](-?[a-z0-9]){2,62}",
    CONTAINER: "[a-z0-9](-?[a-z0-9]){2,62}",
    SITE: "[a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9]",
    "Microsoft.Web/serverfarms": "[a-zA-Z0-9-]{1,40}",
    WORKSPACE: "[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]",
    "Microsoft.Network/virtualNetworks": "[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}[a-zA-Z0-9_]",
    ENDPOINT: "[a-zA-Z0-9][a-zA-Z0-9._-]{0,78}[a-zA-Z0-9_]",
}


@rule
def names_fit(subject: Subject):
    """No name is too long, or has what Azure does not take, whatever the environment is called."""
    limit = next(s for s in subject.project.files["main.bicep"].of("param") if s.name == "environmentName").decorator("maxLength")
    def check(view: View):
        short = view.params["environmentName"]
        for resource in view.deployment.resources:
            name = resource.name.replace(f"-{short}-", f"-{'e' * limit.args[0].value}-")
            if resource.type in NAMES and not re.fullmatch(NAMES[resource.type], name):
                yield f"{resource.type} {name}"
    yield from everywhere(subject, check)


@rule
def versions_are_current(subject: Subject):
    """Key Vault has the version that outlives February 2027; previews are for diagnostic settings alone."""
    for view in subject.views:
        for resource in view.deployment.resources:
            if resource.type.startswith("Microsoft.KeyVault/") and resource.version != "2026-02-01":
                yield f"{resource.file}: {resource.type}@{resource.version}"
            if "preview" in resource.version and resource.type != DIAGNOSTICS:
                yield f"{resource.file}: {resource.type}@{resource.version} is a preview"


@rule
def the_linter_is_strict(subject: Subject):
    """What the compiler's linter finds stops a build."""
    rules = json.loads(subject.linter)["analyzers"]["core"]["rules"]
    wanted = {
        "outputs-should-not-contain-secrets", "secure-parameter-default", "no-hardcoded-env-urls", "no-unused-params",
        "no-unused-vars", "use-resource-symbol-reference", "use-parent-property", "explicit-values-for-loc-params",
        "secure-secrets-in-params", "use-stable-resource-identifiers", "use-safe-access", "use-user-defined-types",
    }
    yield from (f"{name} is not known" for name in wanted - set(rules))
    yield from (f"{name} is no error" for name, given in rules.items() if given["level"] != "error")


# --- rights


REMOVAL = " ".join(f"{kind}/delete {kind}/purge/action" for kind in ("secrets", "keys", "certificates"))
SIX = "secrets/{0}/action keys/{0}/action certificates/{0}/action secrets/readMetadata/action keys/read certificates/read"


def data_actions(role: Resource) -> set[str]:
    return {action for given in role.properties["permissions"] for action in given["dataActions"]}


@rule
def the_custom_roles_are_exact(subject: Subject):
    """Backup: six data actions. Restore: six others. Drill: those of a restore, and deleting and purging. Blob writer: it adds. Blob keeper: it deletes. Neither changes anything.

    Queue releaser: it changes messages, and no more.
    """
    blobs = f"{CONTAINER}/blobs"
    wanted = {
        "backup": {f"{VAULT}/{action}" for action in SIX.format("backup").split()},
        "restore": {f"{VAULT}/{action}" for action in SIX.format("restore").split()},
        "drill": {f"{VAULT}/{action}" for action in SIX.format("restore").split() + REMOVAL.split()},
        "blobWriter": {f"{blobs}/read", f"{blobs}/add/action"},
        "blobKeeper": {f"{blobs}/read", f"{blobs}/delete", f"{blobs}/deleteBlobVersion/action"},
        "queueReleaser": {f"{QUEUE}/messages/write"},
    }
    on_resources = {"blobWriter": {f"{CONTAINER}/read"}, "blobKeeper": {f"{CONTAINER}/read"}}
    if set(subject.roles) != set(wanted):
        yield f"the roles are {sorted(subject.roles)}"
    for name, role in subject.roles.items():
        if data_actions(role) != wanted.get(name):
            yield f"{name}: {sorted(data_actions(role) ^ wanted.get(name, set()))} differ"
        actions = {action for given in role.properties["permissions"] for action in given["actions"]}
        if actions != on_resources.get(name, set()):
            yield f"{name} may do {sorted(actions)} with resources"


@rule
def nothing_overwrites_a_backup(subject: Subject):
    """No custom role has the action that overwrites, and in the container of backups nobody has another role."""
    overwrite = f"{CONTAINER}/blobs/write"
    for name, role in subject.roles.items():
        yield from (f"{name} has {action}" for action in data_actions(role) if action == overwrite or action.endswith("*"))
    def check(view: View):
        for assignment in view.of(ASSIGNMENT):
            label = subject.role_label(assignment.properties["roleDefinitionId"])
            target = assignment.target
            holder = view.holder(assignment.properties["principalId"])
            reads = holder == "page" and label == "Storage Blob Data Reader"
            if target and target.id.startswith(view.accounts["backups"].id) and label not in ("blobWriter", "blobKeeper") and not reads:
                yield f"{label} is granted on {target.name}"
            if target and target.name == "backups" and not reads and not assignment.properties.get("condition"):
                yield f"{holder} may add or delete anywhere"
    yield from everywhere(subject, check)


@rule
def roles_reach_the_vaults_subscriptions(subject: Subject):
    """The roles for vaults can be assigned in their subscriptions, the one for blobs at home alone."""
    home, other = f"/subscriptions/{SUBSCRIPTION}", "/subscriptions/other"
    wanted = {"backup": [home, other], "restore": [home, other], "drill": [home, other], "blobWriter": [home], "blobKeeper": [home], "queueReleaser": [home]}
    for name, role in subject.roles.items():
        if role.properties["assignableScopes"] != wanted.get(name):
            yield f"{name}: {role.properties['assignableScopes']}"


# Whatever is no such action passes; such an action passes where the name begins so.
def under(actions: tuple[str, str], prefixes: str, but: str = "") -> str:
    places = " OR ".join(f"@Resource[{CONTAINER}/blobs:path] StringLike '{prefix}/*'" for prefix in prefixes.split())
    places = f"(({places}) AND @Resource[{CONTAINER}/blobs:path] StringNotLike '{but}/*')" if but else f"({places})"
    others = " AND ".join(f"!(ActionMatches{{'{CONTAINER}/blobs/{action}'}})" for action in actions)
    return f"(({others}) OR {places})"


WRITES, DELETES = ("write", "add/action"), ("delete", "deleteBlobVersion/action")

# What people decide (acknowledged/, holds/, attestations/, retention/people/) no app may add: it would decide about itself. Nor
# may any delete it, or the audit trail, or what was decided about retention.
CONDITIONS = {
    under(WRITES, "audit hsms preflight"): " for records",
    under(WRITES, "vaults audit hsms preflight"): " for backups and records",
    under(WRITES, "audit drills evidence hsm-copies retention second verifications", but="retention/people"): " for what it decides",
    under(DELETES, "vaults hsms hsm-copies preflight retention/copies"): " for backups",
}


# An app without a queue has no right to any.
QUEUE_OF = {"backup": "backup-objects", "restore": "restore-objects"}


def granted(subject: Subject, view: View) -> set[tuple[str, str, str]]:
    found = set()
    for assignment in view.of(ASSIGNMENT):
        target = assignment.target
        where = f"{target.type.rsplit('/', 1)[1]} {target.name}" if target else assignment.id
        label = subject.role_label(assignment.properties["roleDefinitionId"])
        if condition := assignment.properties.get("condition"):
            label += CONDITIONS.get(condition, f" if {condition}")
        found.add((view.holder(assignment.properties["principalId"]), label, where))
    return found


def wanted_grants(view: View) -> set[tuple[str, str, str]]:
    component = f"components {view.of(COMPONENT)[0].name}"
    wanted = {("backup", "blobWriter for backups and records", "containers backups")}
    for role in view.apps:
        wanted.add((role, "Monitoring Metrics Publisher", component))
        queues = ("Queue Data Reader", "Queue Data Message Sender", "Queue Data Message Processor") if role in QUEUE_OF else ()
        if role in QUEUE_OF:
            wanted.add((role, "queueReleaser", f"storageAccounts {view.accounts[f'host of {role}'].name}"))
        for right in ("Blob Data Owner", *queues):
            wanted.add((role, f"Storage {right}", f"storageAccounts {view.accounts[f'host of {role}'].name}"))
        if view.params["hsms"]:
            wanted.add((role, "blobKeeper" if role == "keeper" else "Storage Blob Data Reader", "containers hsm-backups"))
    if view.params["hsms"]:
        wanted.add(("hsm", "Storage Blob Data Contributor", "containers hsm-backups"))
    if "restore" in view.apps:
        wanted.add(("restore", "blobWriter for records", "containers backups"))
    if "keeper" in view.apps:
        wanted.add(("keeper", "blobWriter for what it decides", "containers backups"))
        wanted.add(("keeper", "blobKeeper for backups", "containers backups"))
    if "page" in view.apps:
        wanted.add(("page", "Storage Blob Data Reader", "containers backups"))
        wanted.add(("page", "Storage Blob Data Reader", "containers jobs"))
    for role, vaults in (("backup", view.params["vaults"]), ("restore", view.targets)):
        wanted |= {(role, role, f"vaults {v['name']}") for v in vaults if v.get("accessModel") != "accessPolicy"}
    if "keeper" in view.apps:
        wanted |= {("keeper", "drill", f"vaults {v['name']}") for v in view.drill_vaults if v.get("accessModel") != "accessPolicy"}
    return wanted


@rule
def rights_are_exactly_these(subject: Subject):
    """Who has which role where: these, and no others. No role on a group, a subscription or a neighbour."""
    def check(view: View):
        found, wanted = granted(subject, view), wanted_grants(view)
        yield from (f"{grant} is granted" for grant in sorted(found - wanted))
        yield from (f"{grant} is missing" for grant in sorted(wanted - found))
    yield from everywhere(subject, check)


@rule
def assignments_survive_a_new_identity(subject: Subject):
    """The name holds scope, principal and role, and nobody waits for the directory to know the principal."""
    def check(view: View):
        for assignment in view.of(ASSIGNMENT):
            properties = assignment.properties
            if properties.get("principalType") != "ServicePrincipal":
                yield f"{assignment.symbol}: principalType is {properties.get('principalType')}"
            role = properties["roleDefinitionId"].split("/roleDefinitions/")[1]
            if not all(part in assignment.name for part in (assignment.target.id, properties["principalId"], role)):
                yield f"{assignment.symbol}: the name {assignment.name} says too little"
    yield from everywhere(subject, check)


@rule
def access_policies_are_exact(subject: Subject):
    """Old vaults: one policy is added, with list and one right, in drill vaults with three, and never get."""
    def check(view: View):
        policies = {(p.parent.name, view.holder(given["objectId"])): (p, given)
                    for p in view.of(f"{VAULT}/accessPolicies") for given in p.properties["accessPolicies"]}
        wanted = {(v["name"], role) for role, vaults in (("backup", view.params["vaults"]), ("restore", view.targets))
                  for v in vaults if v.get("accessModel") == "accessPolicy"}
        wanted |= {(v["name"], "keeper") for v in view.drill_vaults if v.get("accessModel") == "accessPolicy" and "keeper" in view.apps}
        if set(policies) != wanted:
            yield f"policies are for {sorted(policies)}"
        for (vault, role), (policy, given) in policies.items():
            if policy.name != "add":
                yield f"{vault}: the policies are not added to, but: {policy.name}"
            for kind, rights in given["permissions"].items():
                own = ["restore", "delete", "purge"] if role == "keeper" else [role]
                if rights != ([] if kind == "storage" else ["list", *own]):
                    yield f"{vault}: {role} may {rights} {kind}"
    yield from everywhere(subject, check)


@rule
def vaults_and_hsms_are_never_written(subject: Subject):
    """What others own is only referred to. A PUT would reset what is not in it."""
    def check(view: View):
        yield from (f"{r.file} writes {r.type} {r.name}" for kind in (VAULT, HSM) for r in view.of(kind))
    yield from everywhere(subject, check)


# --- identities and apps


@rule
def each_app_has_one_identity_of_its_own(subject: Subject):
    """Four identities; no app has another's, and the one of the HSMs is on no app. Beside the one of the page app stands that whose
    tokens are for its sign-in alone: it has no right, and the program never asks for it."""
    def check(view: View):
        if set(view.identities) != {"backup", "restore", "keeper", "hsm"} | ({"page", "signin"} if view.signs_in else set()):
            yield f"the identities are {sorted(view.identities)}"
        for role, app in view.apps.items():
            held, wanted = app.body["identity"], [role, "signin"] if role == "page" else [role]
            if held["type"] != "UserAssigned" or list(held["userAssignedIdentities"]) != [view.identities[name].id for name in wanted]:
                yield f"the app for {role} has {held}"
            client = f"<{IDENTITY}/{view.identities[role].name}>.properties.clientId"
            for setting, value in view.settings(app).items():
                if setting.endswith(("clientId", "CLIENT_ID")) and value != client:
                    yield f"the app for {role} has {setting}={value}"
    yield from everywhere(subject, check)


@rule
def restore_is_off_by_default(subject: Subject):
    """Without the parameter there is no restore app, no storage for it, and no right for its identity."""
    param = next(s for s in subject.project.files["main.bicep"].of("param") if s.name == "restore")
    if param.type.kind != "nullable" or param.value is not None:
        yield "restore has a default"
    small = subject.views[0]
    if set(small.apps) != {"backup", "keeper"}:
        yield f"{small.name}: the apps are {sorted(small.apps)}"
    yield from (f"{small.name}: {grant}" for grant in granted(subject, small) if grant[0] == "restore")
    if set(subject.hardened.apps) != {"backup", "restore", "keeper"}:
        yield f"{subject.hardened.name}: the apps are {sorted(subject.hardened.apps)}"


@rule
def the_page_app_is_off_by_default(subject: Subject):
    """Without the parameter there is no app, no identity, no storage and no subnet for it, in either example."""
    param = next(s for s in subject.project.files["main.bicep"].of("param") if s.name == "signIn")
    if param.type.kind != "nullable" or param.value is not None:
        yield "signIn has a default"
    for view in subject.views[:2]:
        known = {r.id for r in view.deployment.resources}
        page = [r.name for r in subject.signed.deployment.resources if re.search("page|signin|stkvbs", r.name)]
        yield from (f"{view.name}: {r.type} {r.name}" for r in view.deployment.resources if r.name in page and r.id in known)
        if "page" in view.apps or any("page" in s["name"] for n in view.of("Microsoft.Network/virtualNetworks") for s in n.properties["subnets"]):
            yield f"{view.name}: there is a page app"
    if set(subject.signed.apps) != {"backup", "restore", "keeper", "page"}:
        yield f"{subject.signed.name}: the apps are {sorted(subject.signed.apps)}"
    try:
        subject.and_page(SIGN_IN.replace("  subnetPrefix: '10.90.1.0/27'\n", ""))
        yield "with a network, a page app without a subnet of its own is accepted"
    except Fault as fault:
        if "needs a subnet of its own" not in str(fault):
            yield f"it is refused for another reason: {fault}"


@rule
def people_sign_in_to_the_page_app_alone(subject: Subject):
    """That app sends who is not signed in to Entra ID; through a registration of its own, without a secret, for a session of 8 hours."""
    view = subject.and_page(SIGN_IN.replace("{\n", "{\n  people: ['ada']\n", 1))
    page, proof = view.apps["page"], view.identities["signin"].name
    properties = view.config(page, "authsettingsV2")
    directory = properties["identityProviders"]["azureActiveDirectory"]
    client = view.params["signIn"]["clientId"]
    yield from differing("page", properties, {
        "globalValidation.requireAuthentication": True,
        "globalValidation.unauthenticatedClientAction": "RedirectToLoginPage",
        "globalValidation.redirectToProvider": "azureactivedirectory",
        "globalValidation.excludedPaths": [],
        "login.cookieExpiration": {"convention": "FixedTime", "timeToExpiration": "08:00:00"},
        "login.nonce.validateNonce": True,
    })
    yield from differing("page", directory, {
        "registration.clientId": client,
        "registration.clientSecretSettingName": "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
        "validation.allowedAudiences": [client],
        "validation.defaultAuthorizationPolicy.allowedApplications": [client],
        "validation.defaultAuthorizationPolicy.allowedPrincipals": {"identities": ["ada"]},
    })
    for role, app in view.apps.items():
        wanted = f"<{IDENTITY}/{proof}>.properties.clientId" if role == "page" else None
        if view.settings(app).get("OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID") != wanted:
            yield f"{role}: another identity stands for a secret"
        if role != "page" and view.config(app, "authsettingsV2")["globalValidation"]["unauthenticatedClientAction"] != "Return401":
            yield f"{role}: who is not signed in is sent elsewhere"
        if role != "page" and client in json.dumps(view.config(app, "authsettingsV2")):
            yield f"{role}: takes tokens of the registration that people sign in to"


@rule
def the_keeper_can_be_left_out(subject: Subject):
    """It is there by default. Without it there is no app, no storage for it, and no right for its identity; and nothing deletes."""
    yield from (f"{view.name}: there is none" for view in subject.views if "keeper" not in view.apps)
    text = (subject.root / HARDENED).read_text(encoding="utf-8")
    without = Subject(subject.root, {HARDENED: f"{text}\nparam keeper = false\n"}, known_but(subject, HARDENED)).hardened
    if set(without.apps) != {"backup", "restore"} or len(without.of(ACCOUNT)) != 4:
        yield f"the apps are {sorted(without.apps)}"
    yield from (f"{grant} is granted" for grant in granted(subject, without) if "keeper" in grant[0] or "blobKeeper" in grant[1])
    waiting = {alert_name(alert) for alert in without.of(LOG_RULE)} & OF_THE_KEEPER
    yield from (f"{name} waits for it" for name in sorted(waiting))


@rule
def retention_is_as_it_is_asked_for(subject: Subject):
    """Every app has the policy of the parameters, in the words of the program: one applies it, and the others tell of it."""
    small = (subject.root / SMALL).read_text(encoding="utf-8")
    for change, wanted in POLICIES.items():
        view = Subject(subject.root, {SMALL: small.replace("keepWithinDays: 35", change)}, known_but(subject, SMALL)).views[0]
        for role, app in view.apps.items():
            found = view.settings(app)["KEYVAULT_BACKUP_RETENTION"]
            if found != wanted:
                yield f"{change!r} gives {role} {found!r}"


POLICIES = {
    "keepWithinDays: 35": "within=35",
    "deleteAfterDays: 40": "within=40",
    "keepWithinDays: 50\n  deleteAfterDays: 40": "within=50",
    "": "within=35",
    "keepDays: 7\n  keepWeeks: 8\n  keepMonths: 0\n  keepYears: 3\n  keepGoneDays: 800": "within=35 days=7 weeks=8 months=0 years=3 gone=800",
    "sources: { 'kv-b': { keepYears: 7 }, 'kv-a': { keepWithinDays: 90 } }": "within=35; kv-a: within=90; kv-b: years=7",
}
# Of the small file: 14 days of write protection; everything is backed up again every 7 days.
UNFIT = {
    "keepWithinDays: 13": "immutabilityDays is 14",
    "deleteAfterDays: 13": "immutabilityDays is 14",
    "sources: { 'kv-a': { keepWithinDays: 13 } }": "immutabilityDays is 14",
    "keepWithinDays: 14\n}\nparam tuning = {\n  fullPassDays: 15": "backed up every 15 days",
    "keepWithinDays: 90\n  sources: { 'kv-a': { keepWithinDays: 20 } }\n}\nparam tuning = {\n  fullPassDays: 21": "backed up every 21 days",
    "keepWithinDays: 6": "days",
}


@rule
def numbers_that_do_not_fit_are_refused(subject: Subject):
    """In any parameter file: a backup may not go while it is protected, nor before the next full pass."""
    small = (subject.root / SMALL).read_text(encoding="utf-8")
    # What is added to the end of a block has to leave the rest of it in the block.
    rest = "keepWithinDays: 35\n  softDeleteDays: 14\n  logDays: 90\n"
    if rest not in small:
        raise SystemExit(f"{SMALL} does not hold the text that is changed: {rest!r}")
    for change, why in UNFIT.items():
        changed = small.replace(rest, f"softDeleteDays: 14\n  logDays: 90\n  {change}\n")
        try:
            Project(subject.root, {SMALL: changed}, known_but(subject, SMALL)).deployment(SMALL)
            yield f"{change!r} is accepted"
        except Fault as fault:
            if why not in str(fault):
                yield f"{change!r} is refused for another reason: {fault}"


def known_but(subject: Subject, changed: str) -> dict[str, File]:
    return {name: file for name, file in subject.project.files.items() if name != changed}


@rule
def apps_are_closed(subject: Subject):
    """HTTPS, TLS 1.2, no FTP, no passwords for publishing; the plan and runtime that custom handlers need."""
    def check(view: View):
        for role, app in view.apps.items():
            yield from differing(role, app.properties, {
                "httpsOnly": True,
                "clientAffinityEnabled": False,
                "siteConfig.ftpsState": "Disabled",
                "siteConfig.minTlsVersion": "1.2",
                "siteConfig.scmMinTlsVersion": "1.2",
                "functionAppConfig.runtime": {"name": "custom", "version": "1.0"},
                "functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
                "functionAppConfig.deployment.storage.authentication.userAssignedIdentityResourceId": view.identities[role].id,
            })
            allowed = {r.name: r.properties["allow"] for r in view.of(f"{SITE}/basicPublishingCredentialsPolicies") if r.parent is app}
            if allowed != {"ftp": False, "scm": False}:
                yield f"{role}: publishing with a password is {allowed}"
        plans = [r.body["sku"] for r in view.of("Microsoft.Web/serverfarms")]
        if plans != [{"name": "FC1", "tier": "FlexConsumption"}] * len(view.apps):
            yield f"the plans are {plans}"
    yield from everywhere(subject, check)


@rule
def writes_to_an_app_do_not_meet(subject: Subject):
    """What is written on an app is written one after another."""
    def check(view: View):
        for role, app in view.apps.items():
            parts = [r for r in view.deployment.resources if r.parent is app]
            for before, part in zip(parts, parts[1:]):
                if before not in part.body.get("dependsOn", []):
                    yield f"{role}: {part.symbol} does not wait for {before.symbol}"
    yield from everywhere(subject, check)


@rule
def connections_need_no_secret(subject: Subject):
    """Every connection is an endpoint and the app's identity; nothing that a Flex app refuses is set."""
    refused = ("FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_")
    def check(view: View):
        for role, app in view.apps.items():
            settings = view.settings(app)
            for name, value in settings.items():
                if name == "AzureWebJobsStorage" or name.startswith(refused):
                    yield f"{role}: {name} is set"
                if "AccountKey" in value or "SharedAccess" in value or "@Microsoft.KeyVault" in value:
                    yield f"{role}: {name} holds a secret"
                if name.endswith("__credential") and value != "managedidentity":
                    yield f"{role}: {name} is {value}"
            if not settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"].endswith(";Authorization=AAD"):
                yield f"{role}: telemetry is sent without an identity"
    yield from everywhere(subject, check)


@rule
def only_apps_that_tell_know_where(subject: Subject):
    """Addresses of webhooks are secure parameters, in the apps that tell: of all in those that back up and restore, of the heartbeat in the first."""
    for name in ("main.bicep", "modules/function-app.bicep"):
        text = subject.changed.get(name) or (subject.root / name).read_text(encoding="utf-8")
        for parameter in ("notifyUrls", "heartbeatUrl"):
            if not re.search(rf"@secure\(\)\n@description\([^\n]*\)\nparam {parameter} string = ''\n", text):
                yield f"{name}: {parameter} is no secure parameter"
    text = subject.changed.get("main.bicep") or (subject.root / "main.bicep").read_text(encoding="utf-8")
    for app, given in re.findall(r"^module (\w+App) 'modules/function-app.bicep'(.*?)^}", text, re.M | re.S):
        knows = {parameter for parameter in ("notifyUrls", "heartbeatUrl") if f"    {parameter}: {parameter}\n" in given}
        wanted = {"backupApp": {"notifyUrls", "heartbeatUrl"}, "restoreApp": {"notifyUrls"}}.get(app, set())
        if knows != wanted:
            yield f"{app} knows {sorted(knows)}"


@rule
def callers_are_checked(subject: Subject):
    """With Entra ID: everybody signs in, from this tenant, for this app, from a named application."""
    for role, app in subject.signed.apps.items():
        properties = subject.signed.config(app, "authsettingsV2")
        directory = properties["identityProviders"]["azureActiveDirectory"]
        yield from differing(role, properties, {
            "platform.enabled": True,
            "globalValidation.requireAuthentication": True,
            "globalValidation.unauthenticatedClientAction": "RedirectToLoginPage" if role == "page" else "Return401",
            "globalValidation.excludedPaths": [],
            "httpSettings.requireHttps": True,
            "login.tokenStore.enabled": False,
        })
        if "22222222-2222-2222-2222-222222222222" not in directory["registration"]["openIdIssuer"]:
            yield f"{role}: the issuer is not this tenant"
        if not directory["validation"]["allowedAudiences"]:
            yield f"{role}: any audience will do"
        if not directory["validation"]["defaultAuthorizationPolicy"]["allowedApplications"]:
            yield f"{role}: any application may call"
        if role != "page" and directory["registration"].get("clientSecretSettingName"):
            yield f"{role}: there is a client secret"


@rule
def apps_say_what_guards_them(subject: Subject):
    """Where Entra ID checks callers, the program answers none without it; elsewhere it is told that keys are meant."""
    def check(view: View):
        for role, app in view.apps.items():
            wanted = "required" if view.params["authentication"] or role == "page" else "keys"
            yield from differing(role, view.settings(app), {"KEYVAULT_BACKUP_AUTHENTICATION": wanted})
    yield from everywhere(subject, check)


# What leaves a restore app open, what the refusal says, and the words by which it is deployed nevertheless.
OPEN = [
    (r"\nparam authentication = \{.*?\n\}\n", "without authentication", "withoutAuthentication: 'function keys alone may guard restores'"),
    (r"\nparam allowedCallers = .*?\n", "without allowedCallers", "fromAnywhere: 'every address may call the restore app'"),
]


@rule
def an_open_restore_app_is_asked_for_in_words(subject: Subject):
    """A restore app that function keys alone guard, or that every address may call, is refused unless a parameter says so."""
    # Approvals are refused for themselves without authentication.
    hardened = (subject.root / HARDENED).read_text(encoding="utf-8").replace("  approvals: 'all'\n", "")
    for given, why, words in OPEN:
        left_open = re.sub(given, "\n", hardened, count=1, flags=re.S)
        in_words = left_open.replace("param restore = {\n", f"param restore = {{\n  {words}\n", 1)
        for text, wanted in ((left_open, why), (in_words, "")):
            try:
                Project(subject.root, {HARDENED: text}, known_but(subject, HARDENED)).deployment(HARDENED)
                found = ""
            except Fault as fault:
                found = str(fault)
            if wanted not in found or (found and not wanted):
                yield f"{why}: {found or 'it is accepted'}"


PAIRS = "KEYVAULT_BACKUP_RESTORE_PAIRS"


@rule
def only_pairs_that_are_asked_for_may_be_restored(subject: Subject):
    """Into each target what its `from` says, or every source; an HSM into itself and its security domain. Never nothing said."""
    def found(text: str) -> str:
        view = View(HARDENED, Project(subject.root, {HARDENED: text}, known_but(subject, HARDENED)).deployment(HARDENED))
        others = {role: view.settings(app)[PAIRS] for role, app in view.apps.items() if role != "restore"}
        return view.settings(view.apps["restore"])[PAIRS] + (f" and {others}" if any(others.values()) else "")

    hardened = (subject.root / HARDENED).read_text(encoding="utf-8")
    hsm = "hsm-payments-prod=hsm-payments-prod"
    shared = "hsm-payments-prod=hsm-payments-dr hsm-payments-dr=hsm-payments-prod"
    no_hsm = re.sub(r"param hsms = \[.*?\n\]\n", "", hardened, flags=re.S)
    for text, wanted in (
        (hardened, f"kv-shop-prod=kv-shop-standby {hsm}"),
        (hardened.replace("      from: ['kv-shop-prod']\n", ""), f"kv-shop-prod=kv-shop-standby kv-legacy-prod=kv-shop-standby {hsm}"),
        (hardened.replace("from: ['kv-shop-prod']", "from: ['KV-Legacy-prod']"), f"kv-legacy-prod=kv-shop-standby {hsm}"),
        (hardened.replace("criticalKeys", "sharesSecurityDomainWith: 'hsm-payments-dr'\n    criticalKeys"), f"kv-shop-prod=kv-shop-standby {hsm} {shared}"),
        (no_hsm.replace("from: ['kv-shop-prod']", "from: []"), "none"),
    ):
        if found(text) != wanted:
            yield f"{found(text)!r} may be restored, and should be {wanted!r}"


@rule
def a_second_person_is_asked_as_it_is_given(subject: Subject):
    """The restore app gets what `restore.approvals` says, and is refused where nobody can tell two people apart."""
    hardened = (subject.root / HARDENED).read_text(encoding="utf-8")
    keys = re.sub(OPEN[0][0], "\n", hardened, count=1, flags=re.S).replace("param restore = {", f"param restore = {{\n  {OPEN[0][2]}", 1)
    asked = "  approvals: 'all'\n"
    for text, approvals, hours in (
        (hardened, "all", ""),
        (hardened.replace(asked, "  approvals: 'cross-vault'\n  approvalHours: 4\n"), "cross-vault", "4"),
        (hardened.replace(asked, ""), "none", ""),
        (keys.replace(asked, ""), "none", ""),
        (keys, None, None),
    ):
        try:
            view = View(HARDENED, Project(subject.root, {HARDENED: text}, known_but(subject, HARDENED)).deployment(HARDENED))
        except Fault as fault:
            if approvals or "approvals need two people" not in str(fault):
                yield f"{approvals}: {fault}"
            continue
        wanted = {"KEYVAULT_BACKUP_APPROVALS": approvals, "KEYVAULT_BACKUP_APPROVAL_HOURS": hours}
        for role, app in view.apps.items():
            yield from differing(role, view.settings(app), wanted if role == "restore" else dict.fromkeys(wanted, ""))


@rule
def the_network_narrows_callers(subject: Subject):
    """Where address ranges are given, all others are refused, for calls and for deployments."""
    for role, app in subject.signed.apps.items():
        yield from differing(role, app.properties, {
            "siteConfig.ipSecurityRestrictionsDefaultAction": "Deny",
            "siteConfig.scmIpSecurityRestrictionsDefaultAction": "Deny",
        })
        site = app.properties["siteConfig"]
        for name in ("ipSecurityRestrictions", "scmIpSecurityRestrictions"):
            ranges = [given["ipAddress"] for given in site[name]]
            if ranges != subject.signed.params["allowedCallers"]:
                yield f"{role}: {name} are {ranges}"


# --- storage


@rule
def accounts_are_closed(subject: Subject):
    """No keys, no SAS, no local users, nothing public, no copies to other tenants; on every account."""
    wanted = {
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
        "allowedCopyScope": "AAD",
        "defaultToOAuthAuthentication": True,
        "isLocalUserEnabled": False,
        "isSftpEnabled": False,
        "isHnsEnabled": False,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "encryption.requireInfrastructureEncryption": True,
        "sasPolicy.expirationAction": "Block",
    }
    def check(view: View):
        for account in view.of(ACCOUNT):
            yield from differing(account.name, account.properties, wanted)
        for container in view.of(CONTAINER):
            yield from differing(container.name, container.properties, {"publicAccess": "None"})
    yield from everywhere(subject, check)


@rule
def accounts_are_apart(subject: Subject):
    """Each app has its own host storage, and backups lie in neither: who writes a package owns its app."""
    def check(view: View):
        names = [account.name if account else None for account in view.accounts.values()]
        if None in names or len(set(names)) != len(names) or len(names) != len(view.of(ACCOUNT)):
            yield f"the accounts are {names}"
        wanted = {"backups": {"backups"}, "landing": {"hsm-backups"}, "host": {"deployments", "jobs"}}
        for use, account in view.accounts.items():
            held = {r.name for r in view.below(CONTAINER, account)}
            if held != wanted[use.split(" of ")[0]]:
                yield f"{use}: the containers are {sorted(held)}"
    yield from everywhere(subject, check)


@rule
def each_queue_has_a_poison_queue(subject: Subject):
    """The apps may not make queues, so both are there from the start; and each app has its own."""
    def check(view: View):
        for role in view.apps:
            held = {r.name for r in view.below(QUEUE, view.accounts[f"host of {role}"])}
            if held != ({QUEUE_OF[role], f"{QUEUE_OF[role]}-poison"} if role in QUEUE_OF else set()):
                yield f"{role}: the queues are {sorted(held)}"
    yield from everywhere(subject, check)


@rule
def backups_are_written_once(subject: Subject):
    """Immutability with versions on the account, with the state that is asked for, and soft delete."""
    def check(view: View):
        retention = view.params["retention"]
        account = view.accounts["backups"]
        yield from differing("backups", account.properties, {
            "immutableStorageWithVersioning.enabled": True,
            "immutableStorageWithVersioning.immutabilityPolicy.state": retention["immutabilityState"],
            "immutableStorageWithVersioning.immutabilityPolicy.immutabilityPeriodSinceCreationInDays": retention["immutabilityDays"],
            "immutableStorageWithVersioning.immutabilityPolicy.allowProtectedAppendWrites": False,
        })
        yield from kept(view, account, "backups")
    yield from everywhere(subject, check)


def kept(view: View, account: Resource, where: str) -> Iterable[str]:
    (service,) = view.below(BLOBS, account)[:1] or [None]
    yield from differing(where, service.properties, {
        "isVersioningEnabled": True,
        "deleteRetentionPolicy.enabled": True,
        "deleteRetentionPolicy.allowPermanentDelete": False,
        "deleteRetentionPolicy.days": view.params["retention"]["softDeleteDays"],
        "containerDeleteRetentionPolicy.enabled": True,
    })


@rule
def the_second_place_is_its_owners(subject: Subject):
    """One account, written once and locked, in which the keeper of the first place may read and add, and nothing else may anything."""
    there, given = subject.second, subject.second.params
    (account,), (container,) = there.of(ACCOUNT), there.of(CONTAINER)
    yield from differing("second", account.properties, {
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
        "isLocalUserEnabled": False,
        "isSftpEnabled": False,
        "immutableStorageWithVersioning.enabled": True,
        "immutableStorageWithVersioning.immutabilityPolicy.state": given["immutabilityState"],
        "immutableStorageWithVersioning.immutabilityPolicy.immutabilityPeriodSinceCreationInDays": given["immutabilityDays"],
        "immutableStorageWithVersioning.immutabilityPolicy.allowProtectedAppendWrites": False,
    })
    (service,) = there.of(BLOBS)
    yield from differing("second", service.properties, {"isVersioningEnabled": True, "deleteRetentionPolicy.allowPermanentDelete": False})
    if not any(lock.target.id == account.id for lock in there.of(LOCK)):
        yield "the account of the second place has no lock"
    if there.of(f"{ACCOUNT}/managementPolicies"):
        yield "something goes by age in the second place"
    held = [(a.target.id, a.properties["principalId"], a.properties["roleDefinitionId"].split("/")[-1]) for a in there.of(ASSIGNMENT)]
    role = next(iter(there.of(ROLE)))
    if len(held) != 1 or held[0][:2] != (container.id, given["keeperPrincipalId"]) or not held[0][2]:
        yield f"in the second place these are granted: {held}"
    for assignment in there.of(ASSIGNMENT):
        condition = assignment.properties.get("condition") or ""
        if "add/action" not in condition or "owners/" in condition:
            yield "the keeper of the first place may add what the owners of the second decide"
    if data_actions(role) != data_actions(subject.roles["blobWriter"]):
        yield "the role in the second place is not that of a writer in the first"


# Where nothing lies that can be the only copy of something: probes.
MAY_GO_BY_AGE = {"backups": "backups/preflight/", "landing": "hsm-backups/preflight/"}


@rule
def no_age_alone_deletes_a_backup(subject: Subject):
    """Storage deletes probes by their age, and nothing else, in no version. Each account has a policy, which replaces an older one."""
    def check(view: View):
        policies = view.of(f"{ACCOUNT}/managementPolicies")
        for use in MAY_GO_BY_AGE.keys() & view.accounts.keys():
            found = [r.name for r in policies if r.parent is view.accounts[use]]
            if found != ["default"]:
                yield f"{use}: the policies are {found}; one that Azure has from an earlier version stays"
        uses = {account.id: use for use, account in view.accounts.items()}
        for policy in policies:
            use = uses.get(policy.parent.id, policy.parent.name)
            for given in policy.properties["policy"]["rules"]:
                actions = {action for of in given["definition"]["actions"].values() for action in of}
                prefixes = given["definition"].get("filters", {}).get("prefixMatch") or ["everything"]
                if actions != {"delete"}:
                    yield f"{use}: {given['name']} does {sorted(actions)}"
                for prefix in prefixes:
                    if not prefix.startswith(MAY_GO_BY_AGE.get(use, "nothing")):
                        yield f"{use}: {given['name']} deletes {prefix}"
    yield from everywhere(subject, check)


@rule
def the_landing_account_makes_up_for_it(subject: Subject):
    """Managed HSM refuses write protection: no policy there, but versions, soft delete and the trusted service."""
    view = subject.hardened
    account = view.accounts["landing"]
    yield from differing("landing", account.properties, {
        "immutableStorageWithVersioning": None,
        "networkAcls.bypass": "AzureServices",
        "publicNetworkAccess": "Enabled",
    })
    yield from kept(view, account, "landing")


@rule
def nothing_is_deleted_by_mistake(subject: Subject):
    """Locks on every account and on the workspace, unless they are taken off on purpose."""
    def check(view: View):
        for resource in view.of(ACCOUNT) + view.of(WORKSPACE):
            levels = [lock.properties["level"] for lock in view.guarded_by(LOCK, resource)]
            if levels != ["CanNotDelete"]:
                yield f"{resource.name}: the locks are {levels}"
    yield from everywhere(subject, check)


# --- network


@rule
def the_network_is_closed_when_there_is_one(subject: Subject):
    """With a network: every account denies the rest, only the landing account lets Azure's services by."""
    def check(view: View):
        for use, account in view.accounts.items():
            landing = use == "landing"
            yield from differing(use, account.properties, {
                "networkAcls.defaultAction": "Deny" if view.private else "Allow",
                "networkAcls.bypass": "AzureServices" if landing else "None",
                "publicNetworkAccess": "Enabled" if landing or not view.private else "Disabled",
            })
    yield from everywhere(subject, check)


@rule
def everything_has_a_private_way_in(subject: Subject):
    """With a network: an endpoint for all storage, vaults and HSMs, and each app in a subnet of its own."""
    view = subject.signed
    found = {(c["properties"]["privateLinkServiceId"], group) for endpoint in view.of(ENDPOINT)
             for c in endpoint.properties["privateLinkServiceConnections"] for group in c["properties"]["groupIds"]}
    wanted = {(account.id, "blob") for account in view.accounts.values()}
    wanted |= {(view.accounts[f"host of {role}"].id, "queue") for role in QUEUE_OF if role in view.apps}
    existing = view.deployment.of(VAULT, existing=True) + view.deployment.of(HSM, existing=True)
    wanted |= {(r.id, "vault") for r in existing if r.type == VAULT and r.name in view.known_vaults | {v["name"] for v in view.drill_vaults}}
    wanted |= {(r.id, "managedhsm") for r in existing if r.type == HSM}
    yield from (f"{pair} has no endpoint" for pair in sorted(wanted - found))
    yield from (f"{pair} is not known" for pair in sorted(found - wanted))
    grouped = [r for r in view.of(f"{ENDPOINT}/privateDnsZoneGroups")]
    if len(grouped) != len(view.of(ENDPOINT)):
        yield "an endpoint has no name in a private zone"
    subnets = [app.properties["virtualNetworkSubnetId"] for app in view.apps.values()]
    if None in subnets or len(set(subnets)) != len(view.apps):
        yield f"the subnets of the apps are {subnets}"
    (network,) = view.of("Microsoft.Network/virtualNetworks")
    delegated = {s["name"]: [d["properties"]["serviceName"] for d in s["properties"].get("delegations", [])] for s in network.properties["subnets"]}
    for subnet in subnets:
        if delegated.get(str(subnet).rsplit("/", 1)[-1]) != ["Microsoft.App/environments"]:
            yield f"{subnet} is not delegated to the apps"
    for subnet in network.properties["subnets"]:
        if "networkSecurityGroup" not in subnet["properties"]:
            yield f"{subnet['name']} has no security group"


# --- logs and alerts


@rule
def everything_is_logged(subject: Subject):
    """Vaults, HSMs, blobs, queues and apps send their logs to the workspace."""
    def check(view: View):
        (workspace,) = view.of(WORKSPACE)
        logged = {}
        for setting in view.of(DIAGNOSTICS):
            if setting.target and setting.properties.get("workspaceId") == workspace.id:
                logged[setting.target.id] = [given["categoryGroup"] for given in setting.properties["logs"] if given["enabled"]]
        existing = view.deployment.of(VAULT, existing=True) + view.deployment.of(HSM, existing=True)
        for resource in [*existing, *view.of(BLOBS), *view.of(QUEUES), *view.of(SITE)]:
            if not logged.get(resource.id):
                yield f"{resource.type} {resource.name} sends no log"
    yield from everywhere(subject, check)


@rule
def logs_are_out_of_reach(subject: Subject):
    """Telemetry comes with an identity, no key opens the workspace, and logs outlive an investigation."""
    def check(view: View):
        (workspace,), (component,) = view.of(WORKSPACE), view.of(COMPONENT)
        yield from differing("workspace", workspace.properties, {"features.disableLocalAuth": True})
        yield from differing("component", component.properties, {
            "DisableLocalAuth": True, "IngestionMode": "LogAnalytics", "WorkspaceResourceId": workspace.id,
        })
        if workspace.properties["retentionInDays"] < 90:
            yield "logs are kept for less than 90 days"
    yield from everywhere(subject, check)


# Alerts that wait for what the keeper alone does.
OF_THE_KEEPER = {"retention-not-applied", "not-verified", "hsm-not-copied", "evidence-not-recorded", "backup-damaged"}

ALERTS = OF_THE_KEEPER | {
    "vault-not-backed-up", "run-not-clean", "job-overdue", "app-not-starting", "poison-message", "unknown-caller",
    "throttled", "storage-refused", "many-objects-gone", "backup-form-unknown",
    "access-changed", "backup-read", "backup-deleted", "package-written",
}


def alert_name(resource: Resource) -> str:
    return "-".join(resource.name.split("-")[1:-2])


@rule
def every_alert_is_there(subject: Subject):
    """All of them, switched on, at the workspace, with somebody who gets them."""
    def check(view: View):
        of_hsms = {"hsm-not-backed-up", "hsm-not-copied"}
        wanted = ALERTS | of_hsms if view.params["hsms"] else ALERTS - of_hsms
        wanted |= {"second-place-late"} if view.params["secondPlace"] else set()
        wanted |= {"drill-failed", "drill-overdue"} if view.drilled else set()
        found = {alert_name(r) for r in view.of(LOG_RULE)}
        if found != wanted:
            yield f"alerts differ: {sorted(found ^ wanted)}"
        (group,) = view.of(ACTION_GROUP)
        receivers = [r["emailAddress"] for r in group.properties["emailReceivers"]]
        if receivers != view.params["alertEmails"] or not group.properties["enabled"]:
            yield f"the receivers are {receivers}"
        for alert in view.of(LOG_RULE):
            yield from differing(alert.name, alert.properties, {
                "enabled": True,
                "scopes": [view.of(WORKSPACE)[0].id],
                "actions.actionGroups": [group.id],
                "skipQueryValidation": True,
            })
    yield from everywhere(subject, check)


def workbook_queries(view: View) -> dict[str, str]:
    (workbook,) = view.of(WORKBOOK)
    items = json.loads(workbook.properties["serializedData"])["items"]
    return {item["name"]: item["content"]["query"] for item in items if "query" in item["content"]}


@rule
def the_workbook_reads_the_workspace(subject: Subject):
    """There is one, on the workspace that the program logs to, and each of its queries asks for as long as its reader says."""
    def check(view: View):
        (workspace,) = view.of(WORKSPACE)
        for workbook in view.of(WORKBOOK):
            content = json.loads(workbook.properties["serializedData"])
            yield from differing(workbook.name, workbook.properties, {"sourceId": workspace.id})
            if content["fallbackResourceIds"] != [workspace.id]:
                yield f"the workbook reads {content['fallbackResourceIds']}"
            for item in content["items"]:
                if "query" in item["content"] and item["content"].get("timeContextFromParameter") != "TimeRange":
                    yield f"{item['name']}: asks for another time"
        if len(view.of(WORKBOOK)) != 1 or len(workbook_queries(view)) < 5:
            yield "there is no workbook with queries"
    yield from everywhere(subject, check)


@rule
def nobody_means_no_deployment(subject: Subject):
    """Without a receiver the deployment stops, in both files."""
    for name, param in (("main.bicep", "alertEmails"), ("modules/alerts.bicep", "emails")):
        statement = next(s for s in subject.project.files[name].of("param") if s.name == param)
        limit = statement.decorator("minLength")
        if limit is None or limit.args[0].value < 1:
            yield f"{name}: {param} may be empty"


MINUTES = {"PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60, "P1D": 1440, "P2D": 2880}


@rule
def alerts_leave_no_gap(subject: Subject):
    """Each looks at least as far back as the time between two looks; a missed backup has its whole interval."""
    def check(view: View):
        for alert in view.of(LOG_RULE):
            often, window = (MINUTES.get(alert.properties[n]) for n in ("evaluationFrequency", "windowSize"))
            if often is None or window is None or often > window:
                yield f"{alert.name}: looks every {often} minutes at {window}"
            if alert_name(alert).endswith("not-backed-up") and window < view.params["backupIntervalHours"] * 60:
                yield f"{alert.name}: looks back for less than the interval"
    yield from everywhere(subject, check)


def query(alert: Resource) -> str:
    return alert.properties["criteria"]["allOf"][0]["query"]


@rule
def a_missed_backup_is_noticed_for_each(subject: Subject):
    """The query names every vault and HSM itself, so that one which was never backed up has a row."""
    def check(view: View):
        for alert in view.of(LOG_RULE):
            if alert_name(alert) == "drill-overdue":
                yield from missing(query(alert), view.drilled, 48, alert_name(alert))
            if alert_name(alert) in ("retention-not-applied", "not-verified", "second-place-late"):
                yield from missing(query(alert), [*view.params["vaults"], *view.params["hsms"]], 48, alert_name(alert))
            if alert_name(alert) == "hsm-not-copied":
                yield from missing(query(alert), view.params["hsms"], 48, alert_name(alert))
            kind = alert_name(alert).removesuffix("-not-backed-up")
            if kind not in ("vault", "hsm"):
                continue
            yield from missing(query(alert), view.params[f"{kind}s"], view.params["backupIntervalHours"], kind)
    yield from everywhere(subject, check)


def missing(text: str, targets: list[dict], hours: int, what: str) -> Iterable[str]:
    """How a query falls short of a row for each target that has had no success in that many hours."""
    named = text.split("[", 1)[1].split("]", 1)[0]
    if named != ", ".join(f'"{target["name"]}"' for target in targets):
        yield f"{what}: the query names {named}"
    if f"ago({hours}h)" not in text or "leftanti" not in text:
        yield f"{what}: the query does not ask for what is missing"


@rule
def what_nobody_answers_for_is_noticed(subject: Subject):
    """A run is passed over when it says itself that it is clean. What says nothing of it, or anything else, is not."""
    def check(view: View):
        (alert,) = [r for r in view.of(LOG_RULE) if alert_name(r) == "run-not-clean"]
        if '| where verdict != "Succeeded" and tostring(line["run.clean"]) != "true"' not in query(alert).splitlines():
            yield "the query passes over something else"
    yield from everywhere(subject, check)


@rule
def only_our_identities_are_known_callers(subject: Subject):
    """The alert on other callers passes over the identities that have rights in vaults, and nobody else."""
    def check(view: View):
        (alert,) = [r for r in view.of(LOG_RULE) if alert_name(r) == "unknown-caller"]
        listed = query(alert).split("!in (", 1)[1].split(")", 1)[0]
        known = [f"<{IDENTITY}/{view.identities[role].name}>.properties.principalId".lower() for role in ("backup", "restore")]
        if listed != ", ".join(f'"{id}"' for id in known):
            yield f"known are {listed}"
        keeper = f"<{IDENTITY}/{view.identities['keeper'].name}>.properties.principalId".lower()
        drills = ", ".join(f'"{vault["name"]}"' for vault in view.drill_vaults) or '""'
        if f'| where tolower(caller) != "{keeper}" or Resource !in~ ({drills})' not in query(alert).splitlines():
            yield "the keeper is known elsewhere than in drill vaults, or not there"
    yield from everywhere(subject, check)


# --- the hardened example


@rule
def the_hardened_example_is_hardened(subject: Subject):
    """Whoever copies it for production gets all of it."""
    params = subject.hardened.params
    wanted = {name: params[name] for name in ("network", "authentication", "restore", "allowedCallers", "hsms")}
    yield from (f"{name} is not given" for name, value in wanted.items() if not value)
    if params["redundancy"] not in ("Standard_GZRS", "Standard_RAGZRS") or not params["zoneRedundant"]:
        yield "it does not outlive a zone and a region"
    if params["restore"].get("approvals") != "all":
        yield "one person restores alone"
    if params["retention"]["immutabilityDays"] < 30 or not params["locks"]:
        yield "backups are not kept well"
    locked = subject.project.deployment(HARDENED, {"KVBACKUP_IMMUTABILITY": "Locked"})
    if locked.params["retention"]["immutabilityState"] != "Locked":
        yield "it cannot be deployed again after the policy was locked"


# --- facts of the platform that were settled


HOST_STORAGE = "AzureWebJobsStorage__"


@rule
def the_host_names_its_storage_in_one_way(subject: Subject):
    """By the addresses of its services, as the platform's samples do, or by its name where that is asked for. Never by both."""
    text = (subject.root / HARDENED).read_text(encoding="utf-8")
    changed = {HARDENED: f"{text}\nparam hostStorageBy = 'accountName'\n"}
    other = View(HARDENED, Project(subject.root, changed, known_but(subject, HARDENED)).deployment(HARDENED))
    # An app with a network has a private endpoint for each of these, and the host asks no other service.
    for view, wanted in [*((view, {"blobServiceUri", "queueServiceUri"}) for view in subject.views), (other, {"accountName"})]:
        for role, app in view.apps.items():
            settings = view.settings(app)
            named = {name.removeprefix(HOST_STORAGE) for name in settings if name.startswith(HOST_STORAGE)} - {"credential", "clientId"}
            if named != wanted:
                yield f"{view.name}: {role} names it by {sorted(named)}"
            account = settings["KEYVAULT_BACKUP_JOBS_CONTAINER"].split(">")[0].rsplit("/", 1)[-1]
            if "accountName" in named and settings[f"{HOST_STORAGE}accountName"] != account:
                yield f"{view.name}: {role} names {settings[f'{HOST_STORAGE}accountName']}, and its jobs lie in {account}"


@rule
def vaults_with_another_private_endpoint_stay_in_reach(subject: Subject):
    """The zones of Key Vault and Managed HSM fall back to the public name; those of storage do not."""
    view = subject.hardened
    links = view.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
    if len(links) != 4:
        yield f"there are {len(links)} links"
    for link in links:
        vault = "vaultcore" in link.parent.name or "managedhsm" in link.parent.name
        if link.properties.get("resolutionPolicy") != ("NxDomainRedirect" if vault else "Default"):
            yield f"{link.parent.name} is asked {link.properties.get('resolutionPolicy')}"

"""Rules about the alerts on the guards: who changed what, who else read, deleted or wrote, and whether a log tells of it.

Those of the activity log are read as Azure reads them, and tried on operations.
"""

from __future__ import annotations

import re
from typing import Iterable

from expand import SUBSCRIPTION, Project, Resource
from policies import (
    ACCOUNT, ACTION_GROUP, ACTIVITY_RULE, DIAGNOSTICS, HARDENED, IDENTITY, LOG_RULE, SMALL, WORKSPACE, Subject, View,
    alert_name, everywhere, known_but, query, rule,
)

# The operations and their names: https://learn.microsoft.com/azure/azure-functions/monitor-functions-reference for functions,
# https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations for the others.
GUARDS = """
Microsoft.Authorization/roleAssignments/write
Microsoft.Authorization/roleAssignments/delete
Microsoft.Authorization/roleDefinitions/write
Microsoft.Authorization/locks/delete
Microsoft.Insights/diagnosticSettings/write
Microsoft.Insights/diagnosticSettings/delete
Microsoft.Insights/scheduledQueryRules/write
Microsoft.Insights/scheduledQueryRules/delete
Microsoft.Insights/activityLogAlerts/write
Microsoft.Insights/activityLogAlerts/delete
Microsoft.Insights/actionGroups/write
Microsoft.Insights/actionGroups/delete
Microsoft.AlertsManagement/actionRules/write
Microsoft.OperationalInsights/workspaces/write
Microsoft.OperationalInsights/workspaces/tables/write
Microsoft.OperationalInsights/workspaces/purge/action
Microsoft.Storage/storageAccounts/write
Microsoft.Storage/storageAccounts/delete
Microsoft.Storage/storageAccounts/blobServices/write
Microsoft.Storage/storageAccounts/blobServices/containers/delete
Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/write
Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete
Microsoft.Storage/storageAccounts/blobServices/containers/clearLegalHold/action
Microsoft.Storage/storageAccounts/managementPolicies/write
Microsoft.Storage/storageAccounts/managementPolicies/delete
Microsoft.Storage/storageAccounts/objectReplicationPolicies/write
Microsoft.Web/sites/write
Microsoft.Web/sites/delete
Microsoft.Web/sites/stop/action
Microsoft.Web/sites/config/write
Microsoft.Web/sites/config/list/action
Microsoft.Web/sites/basicPublishingCredentialsPolicies/scm/write
Microsoft.Web/sites/extensions/write
Microsoft.Web/sites/host/listkeys/action
Microsoft.Web/sites/host/functionkeys/write
Microsoft.web/sites/functions/listkeys/action
Microsoft.Web/sites/functions/keys/write
Microsoft.ManagedIdentity/userAssignedIdentities/write
Microsoft.ManagedIdentity/userAssignedIdentities/assign/action
Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write
Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete
""".split()
# What a deployment does besides, and what happens to other resources of a group.
NO_GUARDS = "Microsoft.Resources/deployments/write Microsoft.Network/privateEndpoints/write Microsoft.Compute/virtualMachines/start/action".split()

# What a platform writes. The traces of an app are not among it: an app that was taken over writes what it likes.
PLATFORM_TABLES = {"AzureActivity", "AzureDiagnostics", "StorageBlobLogs", "StorageQueueLogs"}
OF_THE_PLATFORM = {"access-changed", "backup-read", "backup-deleted", "package-written", "unknown-caller", "throttled", "storage-refused"}


def event(operation: str, **others: str) -> dict[str, str]:
    """A record of the activity log, of what succeeded."""
    provider = operation.split("/")[0]
    return {"category": "Administrative", "status": "Succeeded", "operationName": operation, "resourceProvider": provider} | others


def fires(alert: Resource, happened: dict[str, str]) -> bool:
    """Whether an alert on the activity log is for a record: case does not count, and all conditions have to hold."""
    def holds(leaf: dict) -> bool:
        if "anyOf" in leaf:
            return any(map(holds, leaf["anyOf"]))
        wanted = leaf["containsAny"] if "containsAny" in leaf else [leaf["equals"]]
        return happened.get(leaf["field"], "").lower() in [value.lower() for value in wanted]
    inside = any(happened.get("resourceId", scope).lower().startswith(scope.lower()) for scope in alert.properties["scopes"])
    return inside and alert.properties["enabled"] and all(map(holds, alert.properties["condition"]["allOf"]))


def activity_alert(view: View, name: str) -> Resource:
    (alert,) = [r for r in view.of(ACTIVITY_RULE) if alert_name(r) == name]
    return alert


def of_name(view: View, name: str) -> Resource:
    (alert,) = [r for r in view.of(LOG_RULE) if alert_name(r) == name]
    return alert


def listed(text: str, before: str) -> list[str]:
    """The texts of the list that follows some words of a query."""
    return re.findall(r'"([^"]*)"', text.split(before, 1)[1].split(")", 1)[0])


def principals(view: View, *roles: str) -> list[str]:
    return [f"<{IDENTITY}/{view.identities[role].name}>.properties.principalId".lower() for role in roles]


@rule
def changes_to_the_guards_are_noticed(subject: Subject):
    """Rights, locks, logs, alerts, firewall and write protection, apps, keys and identities of the resource group."""
    def check(view: View):
        alert = activity_alert(view, "guard-changed")
        (group,) = view.of("Microsoft.Resources/resourceGroups")
        within = f"{group.id}/providers/Some.Thing/things/it"
        for operation in GUARDS:
            if not fires(alert, event(operation, resourceId=within)):
                yield f"{operation} goes unseen"
            if fires(alert, event(operation, resourceId=within, status="Started")):
                yield f"{operation} is told before it is done"
        yield from (f"{operation} is told" for operation in NO_GUARDS if fires(alert, event(operation, resourceId=within)))
        if fires(alert, event(GUARDS[0], resourceId=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other")):
            yield "other groups are told of"
        (told,) = view.of(ACTION_GROUP)
        for alert in view.of(ACTIVITY_RULE):
            if alert.properties["actions"]["actionGroups"] != [{"actionGroupId": told.id}]:
                yield f"{alert.name} goes to another group"
    yield from everywhere(subject, check)


@rule
def the_end_of_the_export_is_noticed(subject: Subject):
    """By an alert that does not need the export: exactly that setting, changed or deleted."""
    def check(view: View):
        alert = activity_alert(view, "export-changed")
        (setting,) = [r for r in exports(view) if r.id.startswith(f"/subscriptions/{SUBSCRIPTION}/")]
        for operation in ("write", "delete"):
            if not fires(alert, event(f"Microsoft.Insights/diagnosticSettings/{operation}", resourceId=setting.id)):
                yield f"{operation} goes unseen"
        if fires(alert, event("Microsoft.Insights/diagnosticSettings/write", resourceId=f"{setting.id}-of-others")):
            yield "other settings are told of"
    yield from everywhere(subject, check)


def exports(view: View) -> list[Resource]:
    return [r for r in view.of(DIAGNOSTICS) if r.file == "modules/activity-log.bicep"]


@rule
def the_activity_log_reaches_the_workspace(subject: Subject):
    """That of the deployment's subscription and of each that holds a source, unless the parameters say otherwise."""
    def check(view: View):
        (workspace,) = view.of(WORKSPACE)
        sources = [*view.params["vaults"], *view.targets, *view.params["hsms"]]
        wanted = {SUBSCRIPTION, *(source.get("subscriptionId", SUBSCRIPTION) for source in sources)}
        found = {r.id.split("/")[2] for r in exports(view) if r.properties["workspaceId"] == workspace.id
                 and {"category": "Administrative", "enabled": True} in r.properties["logs"]}
        yield from (f"that of {name} does not" for name in sorted(wanted - found))
        yield from (f"that of {name} does" for name in sorted(found - wanted))
    yield from everywhere(subject, check)
    text = (subject.root / HARDENED).read_text(encoding="utf-8")
    for choice, number in (("own", 1), ("none", 0)):
        changed = {HARDENED: f"{text}\nparam activityLogs = '{choice}'\n"}
        view = View(HARDENED, Project(subject.root, changed, known_but(subject, HARDENED)).deployment(HARDENED))
        if len(exports(view)) != number:
            yield f"{choice}: {len(exports(view))} do"
        names = {alert_name(r) for kind in (LOG_RULE, ACTIVITY_RULE) for r in view.of(kind)} & {"access-changed", "export-changed"}
        if len(names) != 2 * number:
            yield f"{choice}: the alerts are {sorted(names)}"


@rule
def rights_on_sources_are_watched(subject: Subject):
    """The query names each source, its resource group and its subscription."""
    def check(view: View):
        text = query(of_name(view, "access-changed"))
        named = set(re.findall(r'scope startswith "([^"]+)"', text))
        wanted = set()
        for kind, given in (("vaults", view.params["vaults"] + view.targets), ("managedHSMs", view.params["hsms"])):
            for source in given:
                at = f"/subscriptions/{source.get('subscriptionId', SUBSCRIPTION)}"
                group = f"{at}/resourceGroups/{source['resourceGroup']}"
                wanted |= {f"{group}/providers/Microsoft.KeyVault/{kind}/{source['name']}/"}
                wanted |= {f"{scope}/providers/Microsoft.Authorization/" for scope in (at, group)}
        wanted.add(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/")
        wanted = {scope.lower() for scope in wanted}
        yield from (f"{scope} is not watched" for scope in sorted(wanted - named))
        yield from (f"{scope} is watched" for scope in sorted(named - wanted))
    yield from everywhere(subject, check)


@rule
def other_callers_of_the_storage_are_noticed(subject: Subject):
    """The apps and the HSM read backups, but not the page app, the keeper alone deletes them, and every write of a package is told."""
    def check(view: View):
        backups = [view.accounts[use].name for use in ("backups", "landing") if use in view.accounts]
        hosts = [account.name for use, account in view.accounts.items() if use.startswith("host")]
        for name, accounts, known in (
            ("backup-read", backups, principals(view, "backup", "restore", "keeper", "hsm")),
            ("backup-deleted", backups, principals(view, "keeper")),
            ("package-written", hosts, None),
        ):
            text = query(of_name(view, name))
            if sorted(listed(text, "AccountName in~ (")) != sorted(accounts):
                yield f"{name} looks at {listed(text, 'AccountName in~ (')}"
            found = listed(text, "RequesterObjectId) !in (") if "RequesterObjectId) !in (" in text else None
            if found != known:
                yield f"{name} passes over {found}"
    yield from everywhere(subject, check)


@rule
def a_silent_app_is_noticed_for_each(subject: Subject):
    """The query names each app with timers, so that one which writes nothing at all has a row. The page app is silent until it is opened."""
    def check(view: View):
        text = query(of_name(view, "app-not-starting"))
        named = re.findall(r'"([^"]+)"', text.split("datatable(target:string)[", 1)[1].split("]", 1)[0])
        if sorted(named) != sorted(app.name for role, app in view.apps.items() if role != "page"):
            yield f"the query names {named}"
        for word in ("start.failed", "Failed to start Worker Channel", "ago(10m)"):
            if word not in text:
                yield f"the query does not look for {word}"
    yield from everywhere(subject, check)


@rule
def alerts_on_callers_come_from_the_platform(subject: Subject):
    """What is told of callers comes from logs that no app can write."""
    def check(view: View):
        for alert in view.of(LOG_RULE):
            tables = set(re.findall(r"\b(App[A-Z]\w+|FunctionAppLogs|Azure[A-Z]\w+|Storage\w+Logs)\b", query(alert))) - {"AppRoleName"}
            if alert_name(alert) in OF_THE_PLATFORM and not tables <= PLATFORM_TABLES:
                yield f"{alert.name} reads {sorted(tables)}"
    yield from everywhere(subject, check)


@rule
def late_logs_are_not_missed(subject: Subject):
    """Logs of Azure's own arrive late: a look goes back an hour, and what several looks see is told once."""
    def check(view: View):
        for alert in view.of(LOG_RULE):
            if alert_name(alert) in {"unknown-caller", "access-changed", "backup-read", "backup-deleted", "package-written"}:
                if (alert.properties["windowSize"], alert.properties["autoMitigate"]) != ("PT1H", True):
                    yield f"{alert.name} looks back {alert.properties['windowSize']}"
    yield from everywhere(subject, check)


# Alerts of which one run, restore or job is the cause.
OF_A_RUN = {"run-not-clean", "many-objects-gone", "backup-form-unknown", "job-overdue", "backup-damaged", "drill-failed"}


@rule
def alerts_say_what_to_do_and_about_what(subject: Subject):
    """The text of each links to its section; those about a run carry its name; every dimension is in the query."""
    text = (subject.root / SMALL).read_text(encoding="utf-8")
    changed = {SMALL: f"{text}\nparam operationsPage = 'https://example.org/operations'\n"}
    linked = View(SMALL, Project(subject.root, changed, known_but(subject, SMALL)).deployment(SMALL))
    for view, page in [*((view, "docs/operations.md") for view in subject.views), (linked, "https://example.org/operations")]:
        for alert in [*view.of(LOG_RULE), *view.of(ACTIVITY_RULE)]:
            if not alert.properties["description"].endswith(f" What to do: {page}#{alert_name(alert)}"):
                yield f"{view.name}: {alert.name} leads nowhere"
        for alert in view.of(LOG_RULE):
            names = [given["name"] for given in alert.properties["criteria"]["allOf"][0]["dimensions"]]
            if (alert_name(alert) in OF_A_RUN) != ("run" in names):
                yield f"{view.name}: {alert.name} is told by {names}"
            yield from (f"{view.name}: {alert.name} has no {name}" for name in names if not re.search(rf"\b{name} = |\({name}:", query(alert)))


MAIN, ALERTS, ACTIVITY, GUARD = "main.bicep", "modules/alerts.bicep", "modules/activity-log.bicep", "modules/guard-alerts.bicep"

GUARD_MUTATIONS = {
    "changes_to_the_guards_are_noticed": [
        *((GUARD, f"  '{operation}'\n", "") for operation in GUARDS if not operation.lower().startswith(("microsoft.web/", "microsoft.managedidentity/"))),
        (GUARD, "equals: 'Microsoft.Web'", "equals: 'Microsoft.Web/sites'"),
        (GUARD, "equals: 'Microsoft.ManagedIdentity'", "equals: 'Microsoft.Compute'"),
        (GUARD, "          field: 'status'\n          equals: 'Succeeded'\n", "          field: 'category'\n          equals: 'Administrative'\n"),
        (GUARD, "scopes: [resourceGroup().id]", "scopes: [subscription().id]"),
        (GUARD, "          actionGroupId: actionGroupId\n", "          actionGroupId: workspaceId\n"),
    ],
    "the_end_of_the_export_is_noticed": [
        (GUARD, "            'Microsoft.Insights/diagnosticSettings/delete'\n", ""),
        (GUARD, "diagnosticSettings/${activitySettingName}'", "diagnosticSettings/other'"),
        (GUARD, "          field: 'resourceId'\n", "          field: 'resourceGroup'\n"),
        (GUARD, "          field: 'resourceId'\n          equals: '${subscription().id}/providers/Microsoft.Insights/diagnosticSettings/${activitySettingName}'\n", "          field: 'status'\n          equals: 'Succeeded'\n"),
    ],
    "the_activity_log_reaches_the_workspace": [
        (MAIN, "scope: subscription(id)", "scope: subscription(subscription().subscriptionId)"),
        (MAIN, "activityLogs == 'own' ? [] : sourceSubscriptionIds", "activityLogs == 'own' ? sourceSubscriptionIds : []"),
        (MAIN, "activityLogs == 'none'\n", "activityLogs == 'all'\n"),
        (ACTIVITY, "category: 'Administrative'", "category: 'Policy'"),
        (GUARD, "accessChanged = empty(activitySubscriptionIds)", "accessChanged = !empty(activitySubscriptionIds)"),
        (GUARD, "= if (exported) {", "= if (!exported) {"),
    ],
    "rights_on_sources_are_watched": [
        (MAIN, "    vaults: knownVaults\n    hsms: hsms\n", "    vaults: vaults\n    hsms: hsms\n"),
        (MAIN, "    vaults: knownVaults\n    hsms: hsms\n", "    vaults: knownVaults\n    hsms: []\n"),
        (GUARD, "concat(vaultScopes, hsmScopes, rightScopes)", "concat(vaultScopes, hsmScopes)"),
        (GUARD, "union(vaultGroups, hsmGroups)", "vaultGroups"),
        (GUARD, "vaults/${vault.name}/'", "vaults/'"),
        (GUARD, 'scope startswith "${toLower(scope)}"', 'scope startswith "${scope}"'),
    ],
    "other_callers_of_the_storage_are_noticed": [
        (MAIN, "      identities.outputs.hsmPrincipalId\n    ]\n", "    ]\n"),
        (MAIN, "      identities.outputs.hsmPrincipalId\n    ]\n", "      identities.outputs.hsmPrincipalId\n      identities.outputs.pagePrincipalId\n    ]\n"),
        (MAIN, "signIn == null ? [] : [accounts.pageHost]", "[]"),
        (MAIN, "keeperIds: keeper ? [identities.outputs.keeperPrincipalId] : []\n  }\n}\n\n@desc", "keeperIds: [identities.outputs.keeperPrincipalId, identities.outputs.backupPrincipalId]\n  }\n}\n\n@desc"),
        (MAIN, "hsmAccount: empty(hsms) ? '' : accounts.hsm", "hsmAccount: ''"),
        (MAIN, "      restore == null ? [] : [accounts.restoreHost],\n", ""),
        (GUARD, "AccountName in~ (${hostAccountList})", "AccountName in~ (${backupAccountList})"),
    ],
    "a_silent_app_is_noticed_for_each": [
        (MAIN, "keeper ? ['func-kvkeeper-${suffix}'] : []", "[]"),
        (MAIN, "keeper ? ['func-kvkeeper-${suffix}'] : []", "keeper ? ['func-kvkeeper-${suffix}'] : [], ['func-kvpage-${suffix}']"),
        (ALERTS, 'text has "Failed to start Worker Channel"', 'text has "Failed"'),
        (ALERTS, "ago(10m)", "ago(10h)"),
    ],
    "alerts_on_callers_come_from_the_platform": [
        (GUARD, "'StorageBlobLogs | extend", "'AppTraces | extend"),
    ],
    "late_logs_are_not_missed": [
        (GUARD, "windowSize: 'PT1H'", "windowSize: 'PT15M'"),
        (GUARD, "autoMitigate: true", "autoMitigate: false"),
        (ALERTS, "    window: 'PT1H'\n    resolves: true\n  }\n  {\n    name: 'throttled'", "    window: 'PT5M'\n    resolves: true\n  }\n  {\n    name: 'throttled'"),
    ],
    "alerts_say_what_to_do_and_about_what": [
        (ALERTS, "#${rule.name}'", "#alerts'"),
        (GUARD, "#${rule.name}'", "'"),
        (GUARD, "${operationsPage}#export-changed", "${operationsPage}#guard-changed"),
        (MAIN, "    operationsPage: operationsPage\n  }\n}\n\nmodule guardAlerts", "    operationsPage: 'docs/operations.md'\n  }\n}\n\nmodule guardAlerts"),
        (ALERTS, "dimensions: ['target', 'run']", "dimensions: ['target']"),
        (ALERTS, "        '| extend run = tostring(line[\"job.id\"])'\n", ""),
    ],
}

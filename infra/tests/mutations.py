"""For each rule, changes that have to break it. A rule that nothing can break holds nothing.

Each change is a file, the text that goes, and the text that comes; it is made in memory.
"""

TYPES, MAIN, ROLES, ACCESS = "types.bicep", "main.bicep", "roles.bicep", "vault-access.bicep"
ACCOUNT, HOST = "modules/storage-account.bicep", "modules/host-storage.bicep"
BACKUPS, LANDING = "modules/backup-storage.bicep", "modules/hsm-storage.bicep"
APP, ALERTS, NETWORK = "modules/function-app.bicep", "modules/alerts.bicep", "modules/network.bicep"
MONITORING, IDENTITIES = "modules/monitoring.bicep", "modules/identities.bicep"
SMALL, HARDENED, LINTER = "main.bicepparam", "main.prod.bicepparam", "bicepconfig.json"
GRANT_ACCOUNT, GRANT_CONTAINER = "modules/grant-account.bicep", "modules/grant-container.bicep"

MUTATIONS: dict[str, list[tuple[str, str, str]]] = {
    "parameter_files_deploy": [
        (SMALL, "param environmentName =", "param environment ="),
        (SMALL, "param alertEmails = [readEnvironmentVariable('KVBACKUP_ALERT_EMAIL', 'vault-owners@example.com')]", "param alertEmails = []"),
        (MAIN, "  scope: group\n  params: {\n    location: location\n    suffix: suffix\n    tags: tags\n  }", "  params: {\n    location: location\n    suffix: suffix\n    tags: tags\n  }"),
        (MAIN, "name: 'func-kvbackup-${suffix}'\n    role", "role"),
        (MAIN, "hsms, hsm => 'https", "hsms, hsm => 'http${nobody}s"),
        (MAIN, "hsmContainerUrl: empty(hsms) ? '' : hsmStorage!", "hsmContainerUrl: hsmStorage!"),
        # Names and loops that depend on what only a running deployment knows.
        (MAIN, "for vault in targetVaults: {", "for vault in [identities.outputs.backupPrincipalId]: {"),
        (IDENTITIES, "name: 'id-kvbackup-restore-${suffix}'", "name: 'id-kvbackup-restore-${backup.properties.principalId}'"),
        (MAIN, "= if (restore != null) {\n  scope: group\n  params: {\n    name: accounts", "= if (!empty(identities.outputs.restorePrincipalId)) {\n  scope: group\n  params: {\n    name: accounts"),
    ],
    "what_may_be_missing_is_read_with_care": [
        (APP, "shared.?authentication != null", "shared.authentication != null"),
        (APP, "shared.?authentication.?allowedIdentities", "shared.authentication.?allowedIdentities"),
        (APP, "shared.authentication!.clientId\n", "shared.authentication.clientId\n"),
        (APP, "string(tuning.?fullPassDays ?? '')", "string(tuning.fullPassDays)"),
        (MAIN, "map(hsm.?criticalKeys ?? [], ", "map(hsm.criticalKeys ?? [], "),
        (MAIN, "vault.?accessModel ?? 'rbac'", "vault.accessModel ?? 'rbac'"),
        (MAIN, "network!.addressPrefix", "network.addressPrefix"),
        (MAIN, "restore.?targetVaults ?? []", "restore.targetVaults"),
    ],
    "nothing_waits_twice": [
        (MAIN, "dependsOn: [backupHostBlob, ", "dependsOn: [backupHost, backupHostBlob, "),
        (MAIN, "dependsOn: [restoreHostBlob, ", "dependsOn: [monitoring, restoreHostBlob, "),
        (ACCOUNT, "dependsOn: [blobs]", "dependsOn: [account, blobs]"),
        (APP, "dependsOn: [scm]", "dependsOn: [app, scm]"),
    ],
    "names_fit": [
        (MAIN, "backups: 'stkvbk${accountSuffix}'", "backups: 'stkvb-${accountSuffix}'"),
        (MAIN, "name: 'func-kvrestore-${suffix}'", "name: 'func-kvbackup-restore-${suffix}'"),
        (MAIN, "@maxLength(12)\nparam environmentName", "@maxLength(14)\nparam environmentName"),
        (TYPES, "restoreQueue: 'restore-objects'", "restoreQueue: 'restore--objects'"),
    ],
    "everything_is_described": [
        (MAIN, "@description('Optional. The region of all resources.')\n", ""),
        (MAIN, "@description('Required. The vaults to back up.')", "@description('Optional. The vaults to back up.')"),
        (HOST, "metadata name = 'Host storage'\n", ""),
    ],
    "no_key_is_read": [
        (APP, "join(shared.hsmKeys, ' ')", "listKeys(shared.componentName, '2020-02-02').key"),
        (MONITORING, "output componentName string = component.name", "output componentName string = component.properties.ConnectionString"),
    ],
    "versions_are_current": [
        (ACCESS, "Microsoft.KeyVault/vaults@2026-02-01", "Microsoft.KeyVault/vaults@2024-11-01"),
        (MONITORING, "components@2020-02-02", "components@2020-02-02-preview"),
    ],
    "the_linter_is_strict": [
        (LINTER, '"no-unused-params": { "level": "error" }', '"no-unused-params": { "level": "off" }'),
        (LINTER, '        "use-safe-access": { "level": "error" },\n', ""),
    ],
    "the_custom_roles_are_exact": [
        (ROLES, "'Microsoft.KeyVault/vaults/secrets/backup/action'", "'Microsoft.KeyVault/vaults/secrets/getSecret/action'"),
        (ROLES, "'Microsoft.KeyVault/vaults/keys/restore/action'", "'Microsoft.KeyVault/vaults/keys/restore/action'\n          'Microsoft.KeyVault/vaults/keys/purge/action'"),
        (ROLES, "blobs/add/action'", "blobs/delete'"),
        (ROLES, "actions: []", "actions: ['Microsoft.KeyVault/vaults/write']"),
        (ROLES, "containers/read']", "containers/write']"),
        (ROLES, "blobs/deleteBlobVersion/action'", "blobs/deleteBlobVersion/action'\n          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'"),
        (ROLES, "blobs/deleteBlobVersion/action'", "blobs/immutableStorage/runAsSuperUser/action'"),
    ],
    "nothing_overwrites_a_backup": [
        (ROLES, "blobs/add/action'", "blobs/add/action'\n          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'"),
        (ROLES, "containers/blobs/read'", "containers/blobs/*'"),
        (BACKUPS, "roleDefinitionName: writerRoleName", "roleDefinitionName: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'"),
        (BACKUPS, "      writesUnder: [storageNames.auditPrefix, storageNames.hsmRecordPrefix, storageNames.probePrefix]\n", ""),
        (GRANT_CONTAINER, "condition: empty(conditions) ? null : join(conditions, ' AND ')", "condition: null"),
    ],
    "roles_reach_the_vaults_subscriptions": [
        (ROLES, "union([subscription().subscriptionId], vaultSubscriptionIds)", "[subscription().subscriptionId]"),
        (ROLES, "assignableScopes: ['/subscriptions/${subscription().subscriptionId}']", "assignableScopes: assignableScopes"),
    ],
    "rights_are_exactly_these": [
        (TYPES, "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
        (BACKUPS, "roleDefinitionName: writerRoleName", "roleDefinitionName: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'"),
        (LANDING, "principalId: hsmPrincipalId", "principalId: readerIds[0]"),
        (MAIN, "principalId: identities.outputs.restorePrincipalId\n      access", "principalId: identities.outputs.backupPrincipalId\n      access"),
        (MAIN, "for vault in targetVaults: {", "for vault in knownVaults: {"),
        (ACCESS, "  scope: vault\n  properties: {\n    principalId", "  properties: {\n    principalId"),
        (HOST, "      builtInRoles.storageQueueDataReader\n", ""),
        (BACKUPS, "      writesUnder: [storageNames.auditPrefix, storageNames.hsmRecordPrefix, storageNames.probePrefix]\n", ""),
        (BACKUPS, "      storageNames.backupPrefix\n", "      storageNames.backupPrefix\n      storageNames.acknowledgedPrefix\n"),
        (BACKUPS, "[storageNames.auditPrefix, ", "[storageNames.backupPrefix, storageNames.auditPrefix, "),
        (GRANT_CONTAINER, " AND !(ActionMatches{\\'${blobs}/add/action\\'})", ""),
        (GRANT_CONTAINER, "  scope: account::blobs::container", "  scope: account"),
        (GRANT_CONTAINER, " AND !(ActionMatches{\\'${blobs}/deleteBlobVersion/action\\'})", ""),
        (GRANT_CONTAINER, "empty(deletesUnder) ? [] : [deletes]", "[]"),
        (GRANT_CONTAINER, "${empty(writesNotUnder) ? writeTo : '(${writeTo})'}", "${writeTo}"),
        (BACKUPS, "      writesNotUnder: [storageNames.peoplePrefix]\n", ""),
        (BACKUPS, "        storageNames.copyPrefix\n", "        storageNames.retentionPrefix\n"),
        (BACKUPS, "        storageNames.probePrefix\n        storageNames.copyPrefix", "        storageNames.auditPrefix\n        storageNames.copyPrefix"),
        (BACKUPS, "roleDefinitionName: keeperRoleName", "roleDefinitionName: writerRoleName"),
        (LANDING, "roleDefinitionName: keeperRoleName", "roleDefinitionName: builtInRoles.storageBlobDataContributor"),
        (MAIN, "keeperIds: keeper ? [identities.outputs.keeperPrincipalId] : []", "keeperIds: [identities.outputs.backupPrincipalId]"),
        (MAIN, "principalId: identities.outputs.backupPrincipalId\n      access", "principalId: identities.outputs.keeperPrincipalId\n      access"),
        (HOST, "empty(queue)\n        ? []", "false\n        ? []"),
        (MAIN, "principalId: identities.outputs.restorePrincipalId\n    zoneRedundant", "principalId: identities.outputs.backupPrincipalId\n    zoneRedundant"),
    ],
    "assignments_survive_a_new_identity": [
        (GRANT_ACCOUNT, "guid(account.id, principalId, role)", "guid(account.id, role)"),
        (ACCESS, "principalType: 'ServicePrincipal'", "principalType: 'User'"),
    ],
    "access_policies_are_exact": [
        (ACCESS, "['list', 'backup']", "['get', 'list', 'backup']"),
        (ACCESS, "name: 'add'", "name: 'replace'"),
        (ACCESS, "certificates: permissions", "certificates: ['all']"),
        (ACCESS, "= if (accessModel == 'accessPolicy')", "= if (accessModel != 'accessPolicy')"),
    ],
    "vaults_and_hsms_are_never_written": [
        (ACCESS, "Microsoft.KeyVault/vaults@2026-02-01' existing", "Microsoft.KeyVault/vaults@2026-02-01'"),
        ("modules/hsm-diagnostics.bicep", "2026-02-01' existing", "2026-02-01'"),
    ],
    "each_app_has_one_identity_of_its_own": [
        (MAIN, "resourceId: identities.outputs.restoreResourceId", "resourceId: identities.outputs.backupResourceId"),
        (MAIN, "clientId: identities.outputs.restoreClientId", "clientId: identities.outputs.backupClientId"),
        (APP, "'${identity.resourceId}': {}", "'${identity.resourceId}': {}\n      second: {}"),
        (APP, "type: 'UserAssigned'\n", "type: 'SystemAssigned, UserAssigned'\n"),
        (IDENTITIES, "id-kvbackup-hsm-", "id-kvbackup-restore-"),
        (MAIN, "clientId: identities.outputs.keeperClientId", "clientId: identities.outputs.backupClientId"),
        (MAIN, "resourceId: identities.outputs.keeperResourceId", "resourceId: identities.outputs.backupResourceId"),
    ],
    "restore_is_off_by_default": [
        (MAIN, "param restore restoreSettings?", "param restore restoreSettings? = { targetVaults: [] }"),
        (MAIN, "restorerIds: restore == null ? [] : [identities.outputs.restorePrincipalId]", "restorerIds: [identities.outputs.restorePrincipalId]"),
    ],
    "the_keeper_can_be_left_out": [
        (MAIN, "param keeper bool = true", "param keeper bool = false"),
        (MAIN, "module keeperHost 'modules/host-storage.bicep' = if (keeper) {", "module keeperHost 'modules/host-storage.bicep' = {"),
        (MAIN, "keeper ? [identities.outputs.keeperPrincipalId] : []\n    keeperRoleName", "[identities.outputs.keeperPrincipalId]\n    keeperRoleName"),
        (ALERTS, "var missedRetention = !keeper", "var missedRetention = keeper && !keeper"),
    ],
    "retention_is_as_it_is_asked_for": [
        (TYPES, "policyWord('gone', keep.?keepGoneDays)", "policyWord('days', keep.?keepGoneDays)"),
        (TYPES, "value == null ? ''", "value == null || value == 0 ? ''"),
        (MAIN, "retention.?keepWithinDays ?? retention.?deleteAfterDays", "retention.?deleteAfterDays ?? retention.?keepWithinDays"),
        (MAIN, "retention.?keepWithinDays ?? retention.?deleteAfterDays ?? ", "retention.?keepWithinDays ?? "),
        (MAIN, "'${source.key}: ${policyText(source.value)}'", "policyText(source.value)"),
        (MAIN, "  retentionPolicy: retentionPolicy\n", "  retentionPolicy: ''\n"),
    ],
    "numbers_that_do_not_fit_are_refused": [
        (MAIN, "      immutabilityDays: immutabilityDays\n", "      immutabilityDays: retention.immutabilityDays\n"),
        (MAIN, "    fullPassDays: fittingFullPassDays\n", "    fullPassDays: fullPassDays\n"),
        (MAIN, "retention.immutabilityDays <= shortestWithinDays", "retention.immutabilityDays <= keepWithinDays"),
        (MAIN, "fullPassDays <= shortestWithinDays", "fullPassDays <= keepWithinDays"),
        (MAIN, "retention.immutabilityDays <= shortestWithinDays", "retention.immutabilityDays <= shortestWithinDays + 1"),
    ],
    "apps_are_closed": [
        (APP, "httpsOnly: true", "httpsOnly: false"),
        (APP, "ftpsState: 'Disabled'", "ftpsState: 'FtpsOnly'"),
        (APP, "name: 'scm'\n    properties: {\n      allow: false", "name: 'scm'\n    properties: {\n      allow: true"),
        (APP, "name: 'custom'", "name: 'node'"),
        (APP, "name: 'FC1'", "name: 'EP1'"),
        (APP, "minTlsVersion: '1.2'", "minTlsVersion: '1.0'"),
    ],
    "writes_to_an_app_do_not_meet": [
        (APP, "    dependsOn: [ftp]\n", ""),
        (APP, "    dependsOn: [settings]\n", ""),
    ],
    "connections_need_no_secret": [
        (APP, "AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint", "AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint\n        AzureWebJobsStorage: 'AccountKey=x'"),
        (APP, "KEYVAULT_BACKUP_QUEUE__credential: 'managedidentity'", "KEYVAULT_BACKUP_QUEUE__credential: 'clientsecret'"),
        (APP, ";Authorization=AAD", ""),
        (APP, "KEYVAULT_BACKUP_IDENTITY: 'managed'", "KEYVAULT_BACKUP_IDENTITY: 'managed'\n        FUNCTIONS_WORKER_RUNTIME: 'custom'"),
    ],
    "callers_are_checked": [
        (APP, "requireAuthentication: authenticated", "requireAuthentication: false"),
        (APP, "'Return401'", "'AllowAnonymous'"),
        (APP, "excludedPaths: []", "excludedPaths: ['/api/restores']"),
        (APP, "${tenant().tenantId}/v2.0", "common/v2.0"),
        (APP, "shared.authentication!.allowedApplications", "[]"),
        (APP, "clientId: shared.authentication!.clientId", "clientId: shared.authentication!.clientId\n                clientSecretSettingName: 'SECRET'"),
        (APP, "allowedAudiences: [shared.authentication!.clientId, 'api://${shared.authentication!.clientId}']", "allowedAudiences: []"),
        (APP, "tokenStore: {\n          enabled: false", "tokenStore: {\n          enabled: true"),
    ],
    "the_network_narrows_callers": [
        (APP, "scmIpSecurityRestrictionsDefaultAction: ipDefault", "scmIpSecurityRestrictionsDefaultAction: 'Allow'"),
        (APP, "empty(shared.allowedCallers) ? 'Allow' : 'Deny'", "'Allow'"),
        (APP, "      scmIpSecurityRestrictions: ipRules\n", "      scmIpSecurityRestrictions: []\n"),
    ],
    "accounts_are_closed": [
        (ACCOUNT, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
        (ACCOUNT, "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
        (ACCOUNT, "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'"),
        (ACCOUNT, "isLocalUserEnabled: false", "isLocalUserEnabled: true"),
        (ACCOUNT, "    allowedCopyScope: 'AAD'\n", ""),
        (ACCOUNT, "publicAccess: 'None'", "publicAccess: 'Blob'"),
    ],
    "accounts_are_apart": [
        (MAIN, "restoreHost: 'stkvbr${accountSuffix}'", "restoreHost: 'stkvbh${accountSuffix}'"),
        (MAIN, "keeperHost: 'stkvbp${accountSuffix}'", "keeperHost: 'stkvbh${accountSuffix}'"),
        (MAIN, "backups: 'stkvbk${accountSuffix}'", "backups: 'stkvbh${accountSuffix}'"),
        (HOST, "[storageNames.deploymentContainer, storageNames.jobsContainer]", "[storageNames.deploymentContainer, storageNames.jobsContainer, 'backups']"),
    ],
    "each_queue_has_a_poison_queue": [
        (ACCOUNT, "[work, '${work}-poison']", "[work]"),
        (MAIN, "queue: storageNames.restoreQueue", "queue: storageNames.backupQueue"),
        (MAIN, "    queue: ''\n", "    queue: storageNames.backupQueue\n"),
    ],
    "backups_are_written_once": [
        (BACKUPS, "    immutabilityDays: retention.immutabilityDays\n", ""),
        (ACCOUNT, "state: immutabilityState", "state: 'Disabled'"),
        (ACCOUNT, "allowProtectedAppendWrites: false", "allowProtectedAppendWrites: true"),
        (BACKUPS, "versioning: true", "versioning: false"),
        (ACCOUNT, "allowPermanentDelete: false", "allowPermanentDelete: true"),
    ],
    "no_age_alone_deletes_a_backup": [
        (BACKUPS, "${storageNames.backupContainer}/${storageNames.probePrefix}", "${storageNames.backupContainer}/"),
        (BACKUPS, "${storageNames.backupContainer}/${storageNames.probePrefix}", "${storageNames.backupContainer}/${storageNames.backupPrefix}"),
        (BACKUPS, "${storageNames.backupContainer}/${storageNames.probePrefix}", "${storageNames.backupContainer}/${storageNames.hsmCopyPrefix}"),
        (BACKUPS, "${storageNames.probePrefix}']", "${storageNames.probePrefix}', 'backups/hsms/']"),
        (LANDING, "${storageNames.hsmContainer}/${storageNames.probePrefix}", "${storageNames.hsmContainer}/"),
        (TYPES, "probePrefix: 'preflight/'", "probePrefix: 'vaults/'"),
        (ACCOUNT, "              prefixMatch: probePrefixes\n", ""),
        (ACCOUNT, "              prefixMatch: probePrefixes\n", "              prefixMatch: []\n"),
        # A policy that a template leaves out stays in Azure.
        (LANDING, "    probePrefixes: ['${storageNames.hsmContainer}/${storageNames.probePrefix}']\n", ""),
        (ACCOUNT, "= if (!empty(probePrefixes))", "= if (empty(probePrefixes))"),
    ],
    "the_landing_account_makes_up_for_it": [
        (LANDING, "versioning: true", "versioning: true\n    immutabilityDays: 7"),
        (LANDING, "    trustedServices: true\n", ""),
        (LANDING, "versioning: true", "versioning: false"),
    ],
    "nothing_is_deleted_by_mistake": [
        (ACCOUNT, "level: 'CanNotDelete'", "level: 'NotSpecified'"),
        (MAIN, "param locks bool = true", "param locks bool = false"),
        (MONITORING, "  scope: workspace\n", "  scope: component\n"),
    ],
    "the_network_is_closed_when_there_is_one": [
        (ACCOUNT, "publicAccess ? 'Allow' : 'Deny'", "'Allow'"),
        (ACCOUNT, "trustedServices ? 'AzureServices' : 'None'", "'AzureServices'"),
        (MAIN, "var publicAccess = network == null", "var publicAccess = true"),
    ],
    "everything_has_a_private_way_in": [
        (MAIN, "targetId: restoreHost!.outputs.resourceId\n    groupId: 'queue'", "targetId: backupHost.outputs.resourceId\n    groupId: 'queue'"),
        (MAIN, "module hsmStorageBlob 'modules/private-endpoint.bicep' = if (network != null && !empty(hsms))", "module hsmStorageBlob 'modules/private-endpoint.bicep' = if (network != null && empty(hsms))"),
        (MAIN, "for (vault, index) in knownVaults: if", "for (vault, index) in vaults: if"),
        (MAIN, "module keeperHostBlob 'modules/private-endpoint.bicep' = if (network != null && keeper)", "module keeperHostBlob 'modules/private-endpoint.bicep' = if (network != null && !keeper)"),
        (MAIN, "'' : privateNetwork!.outputs.keeperSubnetId", "'' : privateNetwork!.outputs.backupSubnetId"),
        (MAIN, "'' : privateNetwork!.outputs.restoreSubnetId", "'' : privateNetwork!.outputs.backupSubnetId"),
        (NETWORK, "serviceName: 'Microsoft.App/environments'", "serviceName: 'Microsoft.Web/serverFarms'"),
        (APP, "empty(subnetId) ? null : subnetId", "null"),
    ],
    "everything_is_logged": [
        (ACCESS, "= if (!empty(workspaceId))", "= if (empty(workspaceId))"),
        (ACCOUNT, "  scope: queueService\n", "  scope: blobs\n"),
        ("modules/hsm-diagnostics.bicep", "enabled: true", "enabled: false"),
        (APP, "categoryGroup: 'allLogs'\n        enabled: true", "categoryGroup: 'allLogs'\n        enabled: false"),
        (MAIN, "contains(sourceNames, toLower(vault.name)) ? ''", "!contains(sourceNames, toLower(vault.name)) ? ''"),
    ],
    "logs_are_out_of_reach": [
        (MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false"),
        (MONITORING, "disableLocalAuth: true", "disableLocalAuth: false"),
        (SMALL, "logDays: 90", "logDays: 30"),
    ],
    "every_alert_is_there": [
        (ALERTS, "name: 'poison-message'", "name: 'other-message'"),
        (ALERTS, "      enabled: true\n      scopes", "      enabled: false\n      scopes"),
        (ALERTS, "actionGroups: [group.id]", "actionGroups: []"),
        (ALERTS, "for (email, index) in emails: {", "for (email, index) in [emails[0], emails[0]]: {"),
        (ALERTS, "skipQueryValidation: true", "skipQueryValidation: false"),
    ],
    "nobody_means_no_deployment": [
        (MAIN, "@minLength(1)\nparam alertEmails", "param alertEmails"),
        (ALERTS, "@minLength(1)\nparam emails", "@minLength(0)\nparam emails"),
    ],
    "alerts_leave_no_gap": [
        (ALERTS, "frequency: 'PT5M'", "frequency: 'PT15M'"),
        (ALERTS, "window: 'P2D'", "window: 'P1D'"),
    ],
    "a_missed_backup_is_noticed_for_each": [
        (MAIN, "vaultNames: map(vaults, vault => vault.name)", "vaultNames: [vaults[0].name]"),
        (ALERTS, "missed(hsmList, intervalHours, hsmSuccess)", "missed(hsmList, 48, hsmSuccess)"),
        (ALERTS, "kind=leftanti", "kind=inner"),
        (ALERTS, "concat(vaultNames, hsmNames)", "vaultNames"),
        (ALERTS, "missed(sourceList, 48,", "missed(sourceList, 480,"),
    ],
    "what_nobody_answers_for_is_noticed": [
        (ALERTS, '!= "true"', '== "false"'),
        (ALERTS, 'verdict != "Succeeded" and', 'verdict == "Failed" and'),
    ],
    "only_our_identities_are_known_callers": [
        (MAIN, "    knownPrincipalIds: [\n", "    knownPrincipalIds: [\n      'somebody'\n"),
        (ALERTS, "caller) !in (${knownList})", "caller) !in (\"\")"),
    ],
    "changes_to_the_guards_are_noticed": [
        (ALERTS, "equals: 'Microsoft.Authorization/locks/delete'", "equals: 'Microsoft.Authorization/locks/read'"),
        (ALERTS, "        {\n          actionGroupId: group.id\n        }\n", ""),
    ],
    "the_hardened_example_is_hardened": [
        (HARDENED, "param redundancy = 'Standard_GZRS'", "param redundancy = 'Standard_LRS'"),
        (HARDENED, "param allowedCallers = ['203.0.113.0/24']", "param allowedCallers = []"),
        (HARDENED, "== 'Locked' ? 'Locked'", "== 'Locked' ? 'Unlocked'"),
        (HARDENED, "immutabilityDays: 90", "immutabilityDays: 7"),
    ],
}

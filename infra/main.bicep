targetScope = 'subscription'

metadata name = 'keyvault-backup'
metadata description = 'The backup operator for Key Vault and Managed HSM: everything but the code, and what ARM cannot do (see scripts/).'

import {
  authenticationSettings
  customRoleName
  drillVault
  functionNames
  hsmTarget
  networkSettings
  policyText
  programDefaults
  resourceTags
  restoreSettings
  retentionSettings
  secondPlaceSettings
  signInSettings
  storageNames
  tuningSettings
  vaultTarget
} from 'types.bicep'

@description('Required. Short name of the environment; it is part of every name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Optional. The region of all resources.')
param location string = deployment().location

@description('Optional. The resource group that is created.')
param resourceGroupName string = 'rg-kvbackup-${environmentName}'

@description('Optional. Tags of all resources.')
param tags resourceTags = {}

@description('Required. The vaults to back up.')
@minLength(1)
param vaults vaultTarget[]

@description('Optional. The Managed HSMs to back up.')
param hsms hsmTarget[] = []

@description('Optional. When vaults are backed up; six-field cron in UTC.')
param vaultBackupSchedule string = '0 0 2 * * *'

@description('Optional. When HSMs are backed up; six-field cron in UTC.')
param hsmBackupSchedule string = '0 30 1 * * *'

@description('Optional. Hours within which everything has to be backed up once.')
@minValue(1)
@maxValue(47)
param backupIntervalHours int = 26

@description('Required. Retention of backups, deleted data and logs.')
param retention retentionSettings

@description('Optional. Redundancy of the backups.')
param redundancy 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS' | 'Standard_RAGZRS' = 'Standard_GRS'

@description('Required. E-mail addresses that alerts go to.')
@minLength(1)
param alertEmails string[]

@secure()
@description('Optional. Addresses of webhooks that are told what matters, separated by spaces: Teams workflows, Slack, or JSON. They are secrets: docs/notifications.md.')
param notifyUrls string = ''

@secure()
@description('Optional. An address that is called after each clean night, of a service that notices when the call does not come.')
param heartbeatUrl string = ''

@description('Optional. Where docs/operations.md can be read. With an address on the web, the texts of alerts have links that can be followed.')
param operationsPage string = 'docs/operations.md'

@description('Optional. The activity logs that the workspace gets: those of this subscription and of all that hold a source, of this one alone, or none.')
param activityLogs 'all' | 'own' | 'none' = 'all'

@description('Optional. The keeper app, which applies retention and verifies what is stored. Without it nothing is ever deleted, or verified.')
param keeper bool = true

@description('Optional. When retention is applied, after the backups; six-field cron in UTC.')
param retentionSchedule string = '0 30 4 * * *'

@description('Optional. When what is stored is verified, after retention; six-field cron in UTC.')
param verifySchedule string = '0 30 5 * * *'

@description('Optional. When the keeper makes the copies that are missing, after the backups and before retention; six-field cron in UTC.')
param copySchedule string = '0 15 3 * * *'

@description('Optional. The vaults that drills restore into: docs/drills.md. Without one nothing is drilled.')
param drillVaults drillVault[] = []

@description('Optional. When the keeper drills, which may take hours with many vaults; six-field cron in UTC.')
param drillSchedule string = '0 15 6 * * 0'

@description('Optional. Another account, owned by others, into which the keeper copies every backup. Nothing is deployed there.')
param secondPlace secondPlaceSettings?

@description('Optional. The restore app. Not deployed when left out.')
param restore restoreSettings?

@description('Optional. Puts storage behind a network. When left out, storage can be reached from anywhere with a token.')
param network networkSettings?

@description('Optional. Has Microsoft Entra ID check the callers of the HTTP functions, besides the function keys.')
param authentication authenticationSettings?

@description('Optional. Shows the status page to people who sign in with a browser, by an app of its own. Not deployed when left out.')
param signIn signInSettings?

@description('Optional. Address ranges that may call and deploy the apps. All addresses when empty.')
param allowedCallers string[] = []

@description('Optional. How the host names its storage, which it opens with the identity of the app. accountName only where the host cannot use the addresses of the services.')
param hostStorageBy 'serviceUris' | 'accountName' = 'serviceUris'

@description('Optional. Paces and limits of the program.')
param tuning tuningSettings = {}

@description('Optional. Spreads the apps and their storage over zones.')
param zoneRedundant bool = false

@description('Optional. Memory of an instance.')
param instanceMemoryMB 512 | 2048 | 4096 = 2048

@description('Optional. Most instances for each function. Not every region accepts less than 40.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Optional. Guards storage and logs against deletion.')
param locks bool = true

var suffix = '${environmentName}-${take(uniqueString(subscription().id, environmentName, location), 6)}'
var accountSuffix = uniqueString(subscription().id, environmentName, location)
var accounts = {
  backupHost: 'stkvbh${accountSuffix}'
  restoreHost: 'stkvbr${accountSuffix}'
  keeperHost: 'stkvbp${accountSuffix}'
  pageHost: 'stkvbs${accountSuffix}'
  backups: 'stkvbk${accountSuffix}'
  hsm: 'stkvbm${accountSuffix}'
}
var publicAccess = network == null

var roleNames = {
  backup: customRoleName(subscription().subscriptionId, 'backup')
  restore: customRoleName(subscription().subscriptionId, 'restore')
  drill: customRoleName(subscription().subscriptionId, 'drill')
  blobWriter: customRoleName(subscription().subscriptionId, 'blobWriter')
  blobKeeper: customRoleName(subscription().subscriptionId, 'blobKeeper')
  queueReleaser: customRoleName(subscription().subscriptionId, 'queueReleaser')
}

// The restore app knows the vaults whose backups it restores, and has rights only on its targets.
var targetVaults = restore.?targetVaults ?? []
var sourceNames = map(vaults, vault => toLower(vault.name))
var knownVaults = concat(vaults, filter(targetVaults, target => !contains(sourceNames, toLower(target.name))))
var vaultSuffix = environment().suffixes.keyvaultDns
var hsmSuffix = replace(vaultSuffix, '.vault.', '.managedhsm.')

// Only Entra ID tells two people apart: the program does not start with approvals and without it.
var wantedApprovals = restore.?approvals ?? 'none'
var restoreApprovals = wantedApprovals == 'none' || authentication != null
  ? wantedApprovals
  : fail('restore: approvals need two people whom Entra ID tells apart; give authentication, or leave restore.approvals out')

// A drill deletes and purges what it restored: never in a source, or in a vault that is restored into.
var knownNames = map(knownVaults, vault => toLower(vault.name))
var mistakenDrills = filter(
  drillVaults,
  drill => contains(knownNames, toLower(drill.name)) || !empty(filter(drill.sources, source => !contains(sourceNames, toLower(source.name))))
)
var fittingDrillVaults = empty(mistakenDrills)
  ? (keeper ? drillVaults : [])
  : fail('drillVaults: ${join(map(mistakenDrills, drill => drill.name), ', ')}: a drill vault is none of vaults and restore.targetVaults, and its sources are of vaults')
var drilled = flatten(
  map(
    fittingDrillVaults,
    drill =>
      map(drill.sources, source => {
        name: toLower(source.name)
        url: 'https://${drill.name}${vaultSuffix}'
        always: source.?always ?? []
        targets: source.?rtoMinutes == null && source.?rpoMinutes == null
          ? ''
          : '${source.?rtoMinutes ?? ''}/${source.?rpoMinutes ?? ''}'
      })
  )
)

// A drill wipes its HSM: never one that is backed up.
var hsmNamesInLowerCase = map(hsms, hsm => toLower(hsm.name))
var drilledHsms = filter(hsms, hsm => hsm.?drill != null)
var mistakenHsmDrills = filter(drilledHsms, hsm => contains(hsmNamesInLowerCase, toLower(hsm.?drill.?name ?? '')))
var fittingHsmDrills = empty(mistakenHsmDrills)
  ? map(keeper ? drilledHsms : [], hsm => {
      name: toLower(hsm.name)
      url: 'https://${hsm.?drill.?name ?? ''}${hsmSuffix}'
      domain: '${hsm.name}=${hsm.?drill.?name ?? ''}'
      targets: hsm.?drill.?rtoMinutes == null && hsm.?drill.?rpoMinutes == null
        ? ''
        : '${hsm.?drill.?rtoMinutes ?? ''}/${hsm.?drill.?rpoMinutes ?? ''}'
    })
  : fail('hsms: ${join(map(mistakenHsmDrills, hsm => hsm.name), ', ')}: the HSM of a drill is none of hsms')

// Which source may be restored into which target. An HSM goes into itself and into those of its security domain.
var vaultPairs = flatten(
  map(
    targetVaults,
    target => map(target.?from ?? sourceNames, source => '${toLower(source)}=${toLower(target.name)}')
  )
)
var hsmPairs = flatten(
  map(
    hsms,
    hsm =>
      concat(
        ['${hsm.name}=${hsm.name}'],
        hsm.?sharesSecurityDomainWith == null
          ? []
          : [
              '${hsm.name}=${hsm.?sharesSecurityDomainWith ?? ''}'
              '${hsm.?sharesSecurityDomainWith ?? ''}=${hsm.name}'
            ]
      )
  )
)

// The policy for all sources, then those of single ones. A value below the least that the program takes is that least.
var keepWithinDays = max(retention.?keepWithinDays ?? retention.?deleteAfterDays ?? programDefaults.keepWithinDays, 3)
var sourcePolicies = items(retention.?sources ?? {})
var retentionPolicy = join(
  concat(
    [
      policyText({
        keepWithinDays: keepWithinDays
        keepDays: retention.?keepDays
        keepWeeks: retention.?keepWeeks
        keepMonths: retention.?keepMonths
        keepYears: retention.?keepYears
        keepGoneDays: retention.?keepGoneDays
      })
    ],
    map(sourcePolicies, source => '${source.key}: ${policyText(source.value)}')
  ),
  '; '
)

// What has to fit in any parameter file: a deployment of what does not is refused.
var shortestWithinDays = min(
  concat([keepWithinDays], map(sourcePolicies, source => source.value.?keepWithinDays ?? keepWithinDays))
)
var immutabilityDays = retention.immutabilityDays <= shortestWithinDays
  ? retention.immutabilityDays
  : fail('retention: immutabilityDays is ${retention.immutabilityDays}, and a backup may go after ${shortestWithinDays} days; keepWithinDays has to be at least as much')
var fullPassDays = tuning.?fullPassDays ?? programDefaults.fullPassDays
var fittingFullPassDays = fullPassDays <= shortestWithinDays
  ? tuning.?fullPassDays
  : fail('retention: everything is backed up every ${fullPassDays} days, and a backup may go after ${shortestWithinDays} days; keepWithinDays has to be at least tuning.fullPassDays')

// Role assignments at a subscription or on a vault are in the activity log of that subscription.
var activitySettingName = 'keyvault-backup-${suffix}'
var sourceSubscriptionIds = concat(
  map(knownVaults, vault => vault.?subscriptionId ?? subscription().subscriptionId),
  map(hsms, hsm => hsm.?subscriptionId ?? subscription().subscriptionId)
)
var activitySubscriptionIds = activityLogs == 'none'
  ? []
  : union([subscription().subscriptionId], activityLogs == 'own' ? [] : sourceSubscriptionIds)

// A restore app whose callers nobody checks, or that can be called from everywhere, has to be asked for in words.
var restoreAuthentication = restore == null || authentication != null || restore.?withoutAuthentication != null
  ? authentication
  : fail('restore: without authentication, function keys alone guard the restore app; give authentication, or say restore.withoutAuthentication')
var restoreCallers = restore == null || !empty(allowedCallers) || restore.?fromAnywhere != null
  ? allowedCallers
  : fail('restore: without allowedCallers, every address may call the restore app; give allowedCallers, or say restore.fromAnywhere')

// Its range is not cut out of that of the network, in which there is no room left.
var pageSubnetPrefix = network == null || signIn == null
  ? ''
  : signIn.?subnetPrefix ?? fail('signIn: with a network the page app needs a subnet of its own; give signIn.subnetPrefix')
var pageReaderIds = signIn == null ? [] : [identities.outputs.pagePrincipalId]

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

// Only their ids are read. Nothing here writes an existing vault or HSM.
resource vaultResources 'Microsoft.KeyVault/vaults@2026-02-01' existing = [
  for vault in knownVaults: {
    scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.resourceGroup)
    name: vault.name
  }
]

resource drillVaultResources 'Microsoft.KeyVault/vaults@2026-02-01' existing = [
  for vault in fittingDrillVaults: {
    scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.resourceGroup)
    name: vault.name
  }
]

resource hsmResources 'Microsoft.KeyVault/managedHSMs@2026-02-01' existing = [
  for hsm in hsms: {
    scope: resourceGroup(hsm.?subscriptionId ?? subscription().subscriptionId, hsm.resourceGroup)
    name: hsm.name
  }
]

module identities 'modules/identities.bicep' = {
  scope: group
  params: {
    location: location
    suffix: suffix
    tags: tags
    signIn: signIn != null
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    location: location
    suffix: suffix
    tags: tags
    logDays: retention.logDays
    publisherIds: concat(
      [identities.outputs.backupPrincipalId],
      restore == null ? [] : [identities.outputs.restorePrincipalId],
      keeper ? [identities.outputs.keeperPrincipalId] : [],
      pageReaderIds
    )
    lock: locks
  }
}

module activityLog 'modules/activity-log.bicep' = [
  for id in activitySubscriptionIds: {
    scope: subscription(id)
    params: {
      name: activitySettingName
      workspaceId: monitoring.outputs.workspaceId
    }
  }
]

module backupHost 'modules/host-storage.bicep' = {
  scope: group
  params: {
    name: accounts.backupHost
    location: location
    tags: tags
    queue: storageNames.backupQueue
    queueRoleName: roleNames.queueReleaser
    principalId: identities.outputs.backupPrincipalId
    jobReaderIds: pageReaderIds
    zoneRedundant: zoneRedundant
    publicAccess: publicAccess
    workspaceId: monitoring.outputs.workspaceId
    lock: locks
  }
}

// Not the same account: an identity that can write the package of the restore app can restore.
module restoreHost 'modules/host-storage.bicep' = if (restore != null) {
  scope: group
  params: {
    name: accounts.restoreHost
    location: location
    tags: tags
    queue: storageNames.restoreQueue
    queueRoleName: roleNames.queueReleaser
    principalId: identities.outputs.restorePrincipalId
    zoneRedundant: zoneRedundant
    publicAccess: publicAccess
    workspaceId: monitoring.outputs.workspaceId
    lock: locks
  }
}

module keeperHost 'modules/host-storage.bicep' = if (keeper) {
  scope: group
  params: {
    name: accounts.keeperHost
    location: location
    tags: tags
    queue: ''
    queueRoleName: roleNames.queueReleaser
    principalId: identities.outputs.keeperPrincipalId
    zoneRedundant: zoneRedundant
    publicAccess: publicAccess
    workspaceId: monitoring.outputs.workspaceId
    lock: locks
  }
}

module pageHost 'modules/host-storage.bicep' = if (signIn != null) {
  scope: group
  params: {
    name: accounts.pageHost
    location: location
    tags: tags
    queue: ''
    queueRoleName: roleNames.queueReleaser
    principalId: identities.outputs.pagePrincipalId
    zoneRedundant: zoneRedundant
    publicAccess: publicAccess
    workspaceId: monitoring.outputs.workspaceId
    lock: locks
  }
}

module backupStorage 'modules/backup-storage.bicep' = {
  scope: group
  params: {
    name: accounts.backups
    location: location
    tags: tags
    sku: redundancy
    retention: {
      ...retention
      immutabilityDays: immutabilityDays
    }
    publicAccess: publicAccess
    writerId: identities.outputs.backupPrincipalId
    writerRoleName: roleNames.blobWriter
    restorerIds: restore == null ? [] : [identities.outputs.restorePrincipalId]
    keeperIds: keeper ? [identities.outputs.keeperPrincipalId] : []
    readerIds: pageReaderIds
    keeperRoleName: roleNames.blobKeeper
    workspaceId: monitoring.outputs.workspaceId
    lock: locks
  }
}

module hsmStorage 'modules/hsm-storage.bicep' = if (!empty(hsms)) {
  scope: group
  params: {
    name: accounts.hsm
    location: location
    tags: tags
    sku: redundancy
    retention: retention
    publicAccess: publicAccess
    hsmPrincipalId: identities.outputs.hsmPrincipalId
    readerIds: concat(
      [identities.outputs.backupPrincipalId],
      restore == null ? [] : [identities.outputs.restorePrincipalId],
      pageReaderIds
    )
    keeperIds: keeper ? [identities.outputs.keeperPrincipalId] : []
    keeperRoleName: roleNames.blobKeeper
    workspaceId: monitoring.outputs.workspaceId
    lock: locks
  }
}

module backupAccess 'vault-access.bicep' = [
  for vault in vaults: {
    scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.resourceGroup)
    params: {
      vaultName: vault.name
      principalId: identities.outputs.backupPrincipalId
      access: 'backup'
      roleDefinitionName: roleNames.backup
      accessModel: vault.?accessModel ?? 'rbac'
      workspaceId: monitoring.outputs.workspaceId
    }
  }
]

module restoreAccess 'vault-access.bicep' = [
  for vault in targetVaults: {
    scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.resourceGroup)
    params: {
      vaultName: vault.name
      principalId: identities.outputs.restorePrincipalId
      access: 'restore'
      roleDefinitionName: roleNames.restore
      accessModel: vault.?accessModel ?? 'rbac'
      // A vault that is backed up as well sends its log already.
      workspaceId: contains(sourceNames, toLower(vault.name)) ? '' : monitoring.outputs.workspaceId
    }
    // Two concurrent writes of one vault's access policies conflict.
    dependsOn: [backupAccess]
  }
]

module drillAccess 'vault-access.bicep' = [
  for vault in fittingDrillVaults: {
    scope: resourceGroup(vault.?subscriptionId ?? subscription().subscriptionId, vault.resourceGroup)
    params: {
      vaultName: vault.name
      principalId: identities.outputs.keeperPrincipalId
      access: 'drill'
      roleDefinitionName: roleNames.drill
      accessModel: vault.?accessModel ?? 'rbac'
      workspaceId: monitoring.outputs.workspaceId
    }
  }
]

module hsmDiagnostics 'modules/hsm-diagnostics.bicep' = [
  for hsm in hsms: {
    scope: resourceGroup(hsm.?subscriptionId ?? subscription().subscriptionId, hsm.resourceGroup)
    params: {
      hsmName: hsm.name
      workspaceId: monitoring.outputs.workspaceId
    }
  }
]

module privateNetwork 'modules/network.bicep' = if (network != null) {
  scope: group
  params: {
    location: location
    suffix: suffix
    tags: tags
    addressPrefix: network!.addressPrefix
    pagePrefix: pageSubnetPrefix
  }
}

module backupHostBlob 'modules/private-endpoint.bicep' = if (network != null) {
  scope: group
  params: {
    name: 'pep-${accounts.backupHost}-blob'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: backupHost.outputs.resourceId
    groupId: 'blob'
    zoneId: privateNetwork!.outputs.blobZoneId
  }
}

module backupHostQueue 'modules/private-endpoint.bicep' = if (network != null) {
  scope: group
  params: {
    name: 'pep-${accounts.backupHost}-queue'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: backupHost.outputs.resourceId
    groupId: 'queue'
    zoneId: privateNetwork!.outputs.queueZoneId
  }
}

module restoreHostBlob 'modules/private-endpoint.bicep' = if (network != null && restore != null) {
  scope: group
  params: {
    name: 'pep-${accounts.restoreHost}-blob'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: restoreHost!.outputs.resourceId
    groupId: 'blob'
    zoneId: privateNetwork!.outputs.blobZoneId
  }
}

module restoreHostQueue 'modules/private-endpoint.bicep' = if (network != null && restore != null) {
  scope: group
  params: {
    name: 'pep-${accounts.restoreHost}-queue'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: restoreHost!.outputs.resourceId
    groupId: 'queue'
    zoneId: privateNetwork!.outputs.queueZoneId
  }
}

module keeperHostBlob 'modules/private-endpoint.bicep' = if (network != null && keeper) {
  scope: group
  params: {
    name: 'pep-${accounts.keeperHost}-blob'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: keeperHost!.outputs.resourceId
    groupId: 'blob'
    zoneId: privateNetwork!.outputs.blobZoneId
  }
}

module pageHostBlob 'modules/private-endpoint.bicep' = if (network != null && signIn != null) {
  scope: group
  params: {
    name: 'pep-${accounts.pageHost}-blob'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: pageHost!.outputs.resourceId
    groupId: 'blob'
    zoneId: privateNetwork!.outputs.blobZoneId
  }
}

module backupStorageBlob 'modules/private-endpoint.bicep' = if (network != null) {
  scope: group
  params: {
    name: 'pep-${accounts.backups}-blob'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: backupStorage.outputs.resourceId
    groupId: 'blob'
    zoneId: privateNetwork!.outputs.blobZoneId
  }
}

module hsmStorageBlob 'modules/private-endpoint.bicep' = if (network != null && !empty(hsms)) {
  scope: group
  params: {
    name: 'pep-${accounts.hsm}-blob'
    location: location
    tags: tags
    subnetId: privateNetwork!.outputs.endpointSubnetId
    targetId: hsmStorage!.outputs.resourceId
    groupId: 'blob'
    zoneId: privateNetwork!.outputs.blobZoneId
  }
}

module vaultEndpoints 'modules/private-endpoint.bicep' = [
  for (vault, index) in knownVaults: if (network != null && (network.?vaultEndpoints ?? true)) {
    scope: group
    params: {
      name: 'pep-${vault.name}-vault'
      location: location
      tags: tags
      subnetId: privateNetwork!.outputs.endpointSubnetId
      targetId: vaultResources[index].id
      groupId: 'vault'
      zoneId: privateNetwork!.outputs.vaultZoneId
    }
  }
]

module drillEndpoints 'modules/private-endpoint.bicep' = [
  for (vault, index) in fittingDrillVaults: if (network != null && (network.?vaultEndpoints ?? true)) {
    scope: group
    params: {
      name: 'pep-${vault.name}-vault'
      location: location
      tags: tags
      subnetId: privateNetwork!.outputs.endpointSubnetId
      targetId: drillVaultResources[index].id
      groupId: 'vault'
      zoneId: privateNetwork!.outputs.vaultZoneId
    }
  }
]

module hsmEndpoints 'modules/private-endpoint.bicep' = [
  for (hsm, index) in hsms: if (network != null && (network.?hsmEndpoints ?? true)) {
    scope: group
    params: {
      name: 'pep-${hsm.name}-managedhsm'
      location: location
      tags: tags
      subnetId: privateNetwork!.outputs.endpointSubnetId
      targetId: hsmResources[index].id
      groupId: 'managedhsm'
      zoneId: privateNetwork!.outputs.hsmZoneId
    }
  }
]

// Settings of all apps. It contains module outputs, so no name and no condition may use it.
var commonSettings = {
  location: location
  tags: tags
  workspaceId: monitoring.outputs.workspaceId
  componentName: monitoring.outputs.componentName
  backupContainerUrl: backupStorage.outputs.containerUrl
  secondContainerUrl: secondPlace.?containerUrl ?? ''
  secondKeepWithinDays: secondPlace.?keepWithinDays
  hsmContainerUrl: empty(hsms) ? '' : hsmStorage!.outputs.containerUrl
  hsmUrls: map(hsms, hsm => 'https://${hsm.name}${hsmSuffix}')
  hsmKeys: flatten(map(hsms, hsm => map(hsm.?criticalKeys ?? [], key => '${hsm.name}/${key}')))
  hsmDomains: concat(
    map(
      filter(hsms, hsm => hsm.?sharesSecurityDomainWith != null),
      hsm => '${hsm.name}=${hsm.?sharesSecurityDomainWith ?? ''}'
    ),
    map(fittingHsmDrills, of => of.domain)
  )
  vaultBackupSchedule: vaultBackupSchedule
  hsmBackupSchedule: hsmBackupSchedule
  retentionSchedule: retentionSchedule
  verifySchedule: verifySchedule
  copySchedule: copySchedule
  drillSchedule: drillSchedule
  drillVaults: map(drilled, of => '${of.name}=${of.url}')
  drillAlways: flatten(map(drilled, of => map(of.always, object => '${of.name}=${object}')))
  drillHsms: map(fittingHsmDrills, of => '${of.name}=${of.url}')
  drillTargets: concat(
    map(filter(drilled, of => !empty(of.targets)), of => '${of.name}=${of.targets}'),
    map(filter(fittingHsmDrills, of => !empty(of.targets)), of => '${of.name}=${of.targets}')
  )
  retentionPolicy: retentionPolicy
  restorePairs: union(vaultPairs, hsmPairs)
  approvals: restoreApprovals
  approvalHours: restore.?approvalHours
  intervalHours: backupIntervalHours
  tuning: {
    ...tuning
    fullPassDays: fittingFullPassDays
  }
  zoneRedundant: zoneRedundant
  instanceMemoryMB: instanceMemoryMB
  maximumInstances: maximumInstances
  authentication: authentication
  allowedCallers: allowedCallers
  hostStorageBy: hostStorageBy
}

module backupApp 'modules/function-app.bicep' = {
  scope: group
  params: {
    name: 'func-kvbackup-${suffix}'
    role: 'backup'
    identity: {
      resourceId: identities.outputs.backupResourceId
      clientId: identities.outputs.backupClientId
    }
    hostAccountName: accounts.backupHost
    hostBlobEndpoint: backupHost.outputs.blobEndpoint
    hostQueueEndpoint: backupHost.outputs.queueEndpoint
    disabledFunctions: concat(functionNames.restore, functionNames.keeper, functionNames.page)
    subnetId: network == null ? '' : privateNetwork!.outputs.backupSubnetId
    notifyUrls: notifyUrls
    heartbeatUrl: heartbeatUrl
    shared: {
      ...commonSettings
      vaultUrls: map(vaults, vault => 'https://${vault.name}${vaultSuffix}')
      vaultPlaces: map(
        vaults,
        vault => '${vault.name}=${vault.?subscriptionId ?? subscription().subscriptionId}/${vault.?geography ?? ''}'
      )
    }
  }
  // The host reads its storage when it starts, so names and rights are deployed first.
  dependsOn: [backupHostBlob, backupHostQueue, backupStorageBlob, hsmStorageBlob, vaultEndpoints, hsmEndpoints]
}

module restoreApp 'modules/function-app.bicep' = if (restore != null) {
  scope: group
  params: {
    name: 'func-kvrestore-${suffix}'
    role: 'restore'
    identity: {
      resourceId: identities.outputs.restoreResourceId
      clientId: identities.outputs.restoreClientId
    }
    hostAccountName: accounts.restoreHost
    hostBlobEndpoint: restoreHost!.outputs.blobEndpoint
    hostQueueEndpoint: restoreHost!.outputs.queueEndpoint
    disabledFunctions: concat(functionNames.backup, functionNames.keeper, functionNames.page)
    subnetId: network == null ? '' : privateNetwork!.outputs.restoreSubnetId
    notifyUrls: notifyUrls
    shared: {
      ...commonSettings
      authentication: restoreAuthentication
      allowedCallers: restoreCallers
      vaultUrls: map(knownVaults, vault => 'https://${vault.name}${vaultSuffix}')
      vaultPlaces: map(
        knownVaults,
        vault => '${vault.name}=${vault.?subscriptionId ?? subscription().subscriptionId}/${vault.?geography ?? ''}'
      )
    }
  }
  dependsOn: [restoreHostBlob, restoreHostQueue, backupStorageBlob, hsmStorageBlob, vaultEndpoints, hsmEndpoints]
}

// It has rights in drill vaults, and in no other. It knows the same sources as the backup app: to it, others are no longer configured.
module keeperApp 'modules/function-app.bicep' = if (keeper) {
  scope: group
  params: {
    name: 'func-kvkeeper-${suffix}'
    role: 'keeper'
    identity: {
      resourceId: identities.outputs.keeperResourceId
      clientId: identities.outputs.keeperClientId
    }
    hostAccountName: accounts.keeperHost
    hostBlobEndpoint: keeperHost!.outputs.blobEndpoint
    hostQueueEndpoint: keeperHost!.outputs.queueEndpoint
    disabledFunctions: concat(functionNames.backup, functionNames.restore, functionNames.page)
    subnetId: network == null ? '' : privateNetwork!.outputs.keeperSubnetId
    shared: {
      ...commonSettings
      vaultUrls: map(vaults, vault => 'https://${vault.name}${vaultSuffix}')
      vaultPlaces: map(
        concat(vaults, fittingDrillVaults),
        vault => '${vault.name}=${vault.?subscriptionId ?? subscription().subscriptionId}/${vault.?geography ?? ''}'
      )
    }
  }
  dependsOn: [keeperHostBlob, backupStorageBlob, hsmStorageBlob, drillEndpoints]
}

// It reads what the status page is made of, also the open jobs of the backup app, and writes nothing. Redirecting to a page where
// one signs in holds for a whole app, so it is one that serves that page alone.
module pageApp 'modules/function-app.bicep' = if (signIn != null) {
  scope: group
  params: {
    name: 'func-kvpage-${suffix}'
    role: 'page'
    identity: {
      resourceId: identities.outputs.pageResourceId
      clientId: identities.outputs.pageClientId
    }
    signInIdentity: {
      resourceId: identities.outputs.signInResourceId
      clientId: identities.outputs.signInClientId
    }
    hostAccountName: accounts.pageHost
    hostBlobEndpoint: pageHost!.outputs.blobEndpoint
    hostQueueEndpoint: pageHost!.outputs.queueEndpoint
    jobsContainerUrl: '${backupHost.outputs.blobEndpoint}${storageNames.jobsContainer}'
    disabledFunctions: concat(
      functionNames.backup,
      functionNames.restore,
      functionNames.keeper,
      functionNames.all
    )
    subnetId: network == null ? '' : privateNetwork!.outputs.pageSubnetId
    shared: {
      ...commonSettings
      authentication: {
        clientId: signIn!.clientId
        // Who signs in comes through the registration itself, and no other application is let in.
        allowedApplications: [signIn!.clientId]
        allowedIdentities: signIn.?people
      }
      vaultUrls: map(vaults, vault => 'https://${vault.name}${vaultSuffix}')
      vaultPlaces: map(
        vaults,
        vault => '${vault.name}=${vault.?subscriptionId ?? subscription().subscriptionId}/${vault.?geography ?? ''}'
      )
    }
  }
  dependsOn: [pageHostBlob, backupHostBlob, backupStorageBlob, hsmStorageBlob]
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    location: location
    suffix: suffix
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    emails: alertEmails
    vaultNames: map(vaults, vault => vault.name)
    hsmNames: map(hsms, hsm => hsm.name)
    intervalHours: backupIntervalHours
    keeper: keeper
    secondPlace: secondPlace != null
    drilledNames: concat(map(drilled, of => of.name), map(fittingHsmDrills, of => of.name))
    drillVaultNames: map(fittingDrillVaults, drill => drill.name)
    drillPrincipalId: identities.outputs.keeperPrincipalId
    knownPrincipalIds: [
      identities.outputs.backupPrincipalId
      identities.outputs.restorePrincipalId
    ]
    appNames: concat(
      ['func-kvbackup-${suffix}'],
      restore == null ? [] : ['func-kvrestore-${suffix}'],
      keeper ? ['func-kvkeeper-${suffix}'] : []
    )
    operationsPage: operationsPage
  }
}

module guardAlerts 'modules/guard-alerts.bicep' = {
  scope: group
  params: {
    location: location
    suffix: suffix
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: alerts.outputs.actionGroupId
    operationsPage: operationsPage
    vaults: knownVaults
    hsms: hsms
    activitySubscriptionIds: activitySubscriptionIds
    activitySettingName: activitySettingName
    backupAccount: accounts.backups
    hsmAccount: empty(hsms) ? '' : accounts.hsm
    hostAccounts: concat(
      [accounts.backupHost],
      restore == null ? [] : [accounts.restoreHost],
      keeper ? [accounts.keeperHost] : [],
      signIn == null ? [] : [accounts.pageHost]
    )
    // An HSM reads its backup itself when it is restored. The page app reads indexes and lists, and no backup.
    readerIds: [
      identities.outputs.backupPrincipalId
      identities.outputs.restorePrincipalId
      identities.outputs.keeperPrincipalId
      identities.outputs.hsmPrincipalId
    ]
    keeperIds: keeper ? [identities.outputs.keeperPrincipalId] : []
  }
}

@description('The resource group.')
output resourceGroupName string = group.name

@description('The name of the backup app.')
output backupAppName string = backupApp.outputs.name

@description('The host name of the backup app.')
output backupAppHostName string = backupApp.outputs.hostName

@description('The name of the restore app; empty when there is none.')
output restoreAppName string = restore == null ? '' : restoreApp!.outputs.name

@description('The host name of the restore app; empty when there is none.')
output restoreAppHostName string = restore == null ? '' : restoreApp!.outputs.hostName

@description('The name of the keeper app; empty when there is none.')
output keeperAppName string = keeper ? keeperApp!.outputs.name : ''

@description('The host name of the keeper app; empty when there is none.')
output keeperAppHostName string = keeper ? keeperApp!.outputs.hostName : ''

@description('The name of the page app; empty when there is none.')
output pageAppName string = signIn == null ? '' : pageApp!.outputs.name

@description('The host name of the page app, for scripts/sign-in-registration.sh; empty when there is none.')
output pageAppHostName string = signIn == null ? '' : pageApp!.outputs.hostName

@description('The object id of the identity that stands for a client secret, for scripts/sign-in-registration.sh; empty when there is none.')
output signInPrincipalId string = identities.outputs.signInPrincipalId

@description('The object id of the identity that backs up, for vault-access.bicep and scripts/hsm-roles.sh.')
output backupPrincipalId string = identities.outputs.backupPrincipalId

@description('The object id of the identity that restores.')
output restorePrincipalId string = identities.outputs.restorePrincipalId

@description('The object id of the identity that deletes.')
output keeperPrincipalId string = identities.outputs.keeperPrincipalId

@description('The accounts whose backups no rule may delete by age.')
output backupAccountNames string[] = concat([accounts.backups], empty(hsms) ? [] : [accounts.hsm])

@description('The identity to attach to HSMs, for scripts/hsm-attach.sh.')
output hsmIdentityResourceId string = identities.outputs.hsmResourceId

@description('The name of the custom role that backs up, for vault-access.bicep.')
output backupRoleName string = roleNames.backup

@description('The name of the custom role that restores.')
output restoreRoleName string = roleNames.restore

@description('The container for backups.')
output backupContainerUrl string = backupStorage.outputs.containerUrl

@description('The names of the HSMs.')
output hsmNames string[] = map(hsms, hsm => hsm.name)

@description('The workspace, for vault-access.bicep.')
output workspaceId string = monitoring.outputs.workspaceId

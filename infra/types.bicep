metadata name = 'Types, names and role ids'
metadata description = 'Types and constants of the other files. Deploys nothing.'

@export()
@description('Tags of a resource.')
type resourceTags = {
  *: string
}

@export()
@description('A vault that already exists. It is never written; it is only read, and rights on it are granted.')
type vaultTarget = {
  @description('Required. The name of the vault.')
  name: string

  @description('Required. The resource group of the vault.')
  resourceGroup: string

  @description('Optional. The subscription of the vault. The subscription of the deployment when left out.')
  subscriptionId: string?

  @description('Optional. The access model of the vault. rbac when left out.')
  accessModel: ('rbac' | 'accessPolicy')?

  @description('Optional. The geography of the vault, such as europe. Backups restore in the same one only.')
  geography: string?
}

@export()
@description('A vault that may be restored into, as vaultTarget, and what may be restored into it.')
type restoreTarget = {
  @description('Required. The name of the vault.')
  name: string

  @description('Required. The resource group of the vault.')
  resourceGroup: string

  @description('Optional. The subscription of the vault. The subscription of the deployment when left out.')
  subscriptionId: string?

  @description('Optional. The access model of the vault. rbac when left out.')
  accessModel: ('rbac' | 'accessPolicy')?

  @description('Optional. The geography of the vault, such as europe. Backups restore in the same one only.')
  geography: string?

  @description('Optional. The names of the vaults whose backups may be restored into it. Every one of `vaults` when left out.')
  from: string[]?
}

@export()
@description('A vault whose backups are drilled, and what its drills are judged against.')
type drilledSource = {
  @description('Required. The name of the vault, one of `vaults`.')
  name: string

  @description('Optional. Objects that are part of every sample, as KIND/NAME.')
  always: string[]?

  @description('Optional. How long a restore of the whole vault may take, in minutes.')
  @minValue(1)
  @maxValue(527040)
  rtoMinutes: int?

  @description('Optional. How old its newest state may be when a drill begins, in minutes.')
  @minValue(1)
  @maxValue(527040)
  rpoMinutes: int?
}

@export()
@description('A vault that drills restore into: docs/drills.md. It is empty, and a person declares it by a secret in it.')
type drillVault = {
  @description('Required. The name of the drill vault, of the same subscription and geography as its sources.')
  name: string

  @description('Required. The resource group of the drill vault.')
  resourceGroup: string

  @description('Optional. The subscription of the drill vault. The subscription of the deployment when left out.')
  subscriptionId: string?

  @description('Optional. The access model of the drill vault. rbac when left out.')
  accessModel: ('rbac' | 'accessPolicy')?

  @description('Optional. The geography of the drill vault, such as europe.')
  geography: string?

  @description('Required. The vaults that are drilled in it, one after the other.')
  @minLength(1)
  sources: drilledSource[]
}

@description('The HSM that people drill the restores of another one in.')
type hsmDrill = {
  @description('Required. The name of the drill HSM, which has the security domain of the HSM and is backed up nowhere. A drill wipes it.')
  name: string

  @minValue(1)
  @maxValue(527040)
  @description('Optional. How long a drill may take, in minutes.')
  rtoMinutes: int?

  @minValue(1)
  @maxValue(527040)
  @description('Optional. How old the newest backup may be when a drill begins, in minutes.')
  rpoMinutes: int?
}

@export()
@description('A Managed HSM that already exists. Its identity and local roles are attached by a script.')
type hsmTarget = {
  @description('Required. The name of the HSM.')
  name: string

  @description('Required. The resource group of the HSM.')
  resourceGroup: string

  @description('Optional. The subscription of the HSM. The subscription of the deployment when left out.')
  subscriptionId: string?

  @description('Optional. Keys that are backed up one by one as well.')
  criticalKeys: string[]?

  @description('Optional. The name of another HSM that has the same security domain.')
  sharesSecurityDomainWith: string?

  @description('Optional. The HSM that people drill its restores in, and what drills are judged against: docs/managed-hsm.md.')
  drill: hsmDrill?
}

@export()
@description('How long the recovery points of a source are kept: docs/retention.md. What is left out is as for all sources.')
type keepSettings = {
  @description('Optional. Days in which everything is kept.')
  @minValue(3)
  @maxValue(36500)
  keepWithinDays: int?

  @description('Optional. Days of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepDays: int?

  @description('Optional. Weeks of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepWeeks: int?

  @description('Optional. Months of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepMonths: int?

  @description('Optional. Years of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepYears: int?

  @description('Optional. Days for which the last backup of an object that is gone is kept.')
  @minValue(3)
  @maxValue(36500)
  keepGoneDays: int?
}

@export()
@description('Retention of backups, deleted data and logs. What is left out keeps the default of the program.')
type retentionSettings = {
  @description('Required. Days in which no vault backup can be changed or deleted.')
  @minValue(1)
  @maxValue(3650)
  immutabilityDays: int

  @description('Required. Locked cannot be undone. A policy can become Locked only from Unlocked.')
  immutabilityState: 'Unlocked' | 'Locked'

  @description('Optional. Days in which every backup is kept; at least immutabilityDays, and the days between full passes.')
  @minValue(3)
  @maxValue(36500)
  keepWithinDays: int?

  @description('Optional. The former name of keepWithinDays, which wins over it.')
  @minValue(2)
  @maxValue(3651)
  deleteAfterDays: int?

  @description('Optional. Days of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepDays: int?

  @description('Optional. Weeks of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepWeeks: int?

  @description('Optional. Months of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepMonths: int?

  @description('Optional. Years of which the first recovery point is kept.')
  @minValue(0)
  @maxValue(36500)
  keepYears: int?

  @description('Optional. Days for which the last backup of an object that is gone is kept.')
  @minValue(3)
  @maxValue(36500)
  keepGoneDays: int?

  @description('Optional. Other settings for single sources, by the name of the vault or HSM.')
  sources: {
    *: keepSettings
  }?

  @description('Required. Days in which deleted blobs and containers can be recovered.')
  @minValue(7)
  @maxValue(365)
  softDeleteDays: int

  @description('Required. Days for which logs are kept.')
  @minValue(30)
  @maxValue(730)
  logDays: int
}

@export()
@description('Limits and paces of the program. A value that is left out keeps the default of the program.')
type tuningSettings = {
  fullPassDays: int?
  @minValue(1)
  @maxValue(400)
  verifyWithinDays: int?
  @minValue(1)
  @maxValue(200)
  drillSample: int?
  @minValue(0)
  @maxValue(1000)
  drillOlderEvery: int?
  @minValue(1)
  @maxValue(400)
  drillIntervalDays: int?
  @minValue(1)
  @maxValue(400)
  drillHsmIntervalDays: int?
  @minValue(0)
  @maxValue(100)
  goneShare: int?
  vaultRate: int?
  restoreSecrets: int?
  restoreKeys: int?
  mostOpenBackups: int?
  mostOpenRestores: int?
  requestTimeoutSeconds: int?
  apiVersion: string?
  hsmBackupAgeMinutes: int?
  hsmLimitHours: int?
}

@export()
@description('A network of its own. Storage, vaults and HSMs are then reached through private endpoints.')
type networkSettings = {
  @description('Required. The address range of the network, /24 or larger.')
  addressPrefix: string

  @description('Optional. Makes private endpoints for the vaults. true when left out.')
  vaultEndpoints: bool?

  @description('Optional. Makes private endpoints for the HSMs. true when left out.')
  hsmEndpoints: bool?
}

@export()
@description('The callers of the HTTP functions that are allowed when Microsoft Entra ID checks callers in front of the app.')
type authenticationSettings = {
  @description('Required. Client id of the app registration; scripts/app-registration.sh makes it.')
  clientId: string

  @description('Required. Client ids of the applications that may call.')
  @minLength(1)
  allowedApplications: string[]

  @description('Optional. Object ids of the users and service principals that may call. All assigned ones when left out.')
  allowedIdentities: string[]?
}

@export()
@description('The page app, which shows the status page to people who sign in with a browser. It exists only when this is given.')
type signInSettings = {
  @description('Required. Client id of the registration that people sign in to, and no other; scripts/sign-in-registration.sh makes it.')
  clientId: string

  @description('Optional. Object ids of the users who may sign in; the platform takes 500 characters of them. All who have the role Backup.Read there when left out.')
  @maxLength(13)
  people: string[]?

  @description('Optional. With a network: the address range of the subnet of this app, /27 or larger, outside of network.addressPrefix. Required there.')
  subnetPrefix: string?
}

@export()
@description('The restore app. It exists only when this is given.')
type restoreSettings = {
  @description('Required. The vaults that may be restored into, and no others.')
  targetVaults: restoreTarget[]

  @description('Optional. Which plans a second person has to approve. none when left out.')
  approvals: ('none' | 'hsm' | 'cross-vault' | 'all')?

  @description('Optional. Hours for which an approval holds. The default of the program when left out.')
  @minValue(1)
  @maxValue(168)
  approvalHours: int?

  @description('Optional. Says that a restore app is wanted although main.bicep has no authentication.')
  withoutAuthentication: 'function keys alone may guard restores'?

  @description('Optional. Says that a restore app is wanted although main.bicep has no allowedCallers.')
  fromAnywhere: 'every address may call the restore app'?
}

@export()
@description('Another account, owned by others, into which the keeper copies every backup. They deploy second-place.bicep.')
type secondPlaceSettings = {
  @description('Required. The container, an output of second-place.bicep.')
  @minLength(20)
  containerUrl: string

  @description('Optional. Days for which the second place keeps everything, and what the first deleted after that. Its owners say how many. The default of the program when left out.')
  @minValue(3)
  @maxValue(36500)
  keepWithinDays: int?
}

@export()
@description('A user-assigned identity, as the app module needs it.')
type identityReference = {
  resourceId: string
  clientId: string
}

@export()
@description('The settings that are the same for all apps.')
type sharedAppSettings = {
  location: string
  tags: resourceTags
  workspaceId: string
  componentName: string
  backupContainerUrl: string
  hsmContainerUrl: string
  secondContainerUrl: string
  secondKeepWithinDays: int?
  vaultUrls: string[]
  vaultPlaces: string[]
  hsmUrls: string[]
  hsmKeys: string[]
  hsmDomains: string[]
  vaultBackupSchedule: string
  hsmBackupSchedule: string
  retentionSchedule: string
  verifySchedule: string
  copySchedule: string
  drillSchedule: string
  drillVaults: string[]
  drillHsms: string[]
  drillAlways: string[]
  drillTargets: string[]
  retentionPolicy: string
  restorePairs: string[]
  approvals: string
  approvalHours: int?
  intervalHours: int
  tuning: tuningSettings
  zoneRedundant: bool
  instanceMemoryMB: 512 | 2048 | 4096
  maximumInstances: int
  authentication: authenticationSettings?
  allowedCallers: string[]
  hostStorageBy: 'serviceUris' | 'accountName'
}

@export()
@description('Built-in roles of Azure.')
var builtInRoles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageQueueDataReader: '19e7f393-937e-4f77-808e-94535e297925'
  storageQueueDataMessageSender: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
  storageQueueDataMessageProcessor: '8a0f0c08-91a1-4084-bc3d-661d67233fed'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

@export()
@description('Containers and queues. The code names the queues, too.')
var storageNames = {
  deploymentContainer: 'deployments'
  jobsContainer: 'jobs'
  backupContainer: 'backups'
  backupPrefix: 'vaults/'
  auditPrefix: 'audit/'
  hsmRecordPrefix: 'hsms/'
  probePrefix: 'preflight/'
  acknowledgedPrefix: 'acknowledged/'
  holdPrefix: 'holds/'
  attestationPrefix: 'attestations/'
  retentionPrefix: 'retention/'
  copyPrefix: 'retention/copies/'
  peoplePrefix: 'retention/people/'
  verificationPrefix: 'verifications/'
  evidencePrefix: 'evidence/'
  secondPrefix: 'second/'
  ownersPrefix: 'owners/'
  drillPrefix: 'drills/'
  hsmCopyPrefix: 'hsm-copies/'
  hsmContainer: 'hsm-backups'
  backupQueue: 'backup-objects'
  restoreQueue: 'restore-objects'
}

@export()
@description('The functions, by the app that runs them, and those of all apps but that of the page; the code has the same table.')
var functionNames = {
  backup: ['NightlyVaultBackup', 'NightlyHsmBackup', 'BackUpObject', 'Backups']
  restore: ['RestoreObject', 'Restores']
  keeper: ['ApplyRetention', 'VerifyBackups', 'CopyBackups', 'RestoreDrill']
  page: ['Page']
  all: ['AdvanceJobs', 'Status']
}

@export()
@description('Defaults of the program that other numbers have to fit.')
var programDefaults = {
  fullPassDays: 7
  keepWithinDays: 35
}

func policyWord(word string, value int?) string => value == null ? '' : '${word}=${value}'

@export()
@description('A policy in the words of KEYVAULT_BACKUP_RETENTION.')
func policyText(keep keepSettings) string => join(
  filter(
    [
      policyWord('within', keep.?keepWithinDays)
      policyWord('days', keep.?keepDays)
      policyWord('weeks', keep.?keepWeeks)
      policyWord('months', keep.?keepMonths)
      policyWord('years', keep.?keepYears)
      policyWord('gone', keep.?keepGoneDays)
    ],
    part => !empty(part)
  ),
  ' '
)

@export()
@description('The name of a custom role. It is the same in every file, so that roles and assignments can be deployed separately.')
func customRoleName(homeSubscriptionId string, role string) string => guid('keyvault-backup', homeSubscriptionId, role)

metadata name = 'Alerts on the guards'
metadata description = 'The alerts on what no app does: changes to rights, apps and guards, and other callers of the storage. All come from logs of the platform, which no app can write. docs/operations.md says what each one means.'

import { hsmTarget, resourceTags, storageNames, vaultTarget } from '../types.bicep'

@description('Required. Where the rules live.')
param location string

@description('Required. Ends the names.')
param suffix string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. The workspace that is queried.')
param workspaceId string

@description('Required. The group that gets the alerts.')
param actionGroupId string

@description('Required. The page that the text of each alert links to.')
param operationsPage string

@description('Required. The vaults that are backed up or restored into.')
param vaults vaultTarget[]

@description('Required. The HSMs that are backed up.')
param hsms hsmTarget[]

@description('Required. The subscriptions whose activity log the workspace gets.')
param activitySubscriptionIds string[]

@description('Required. The name of the setting that sends an activity log to the workspace.')
param activitySettingName string

@description('Required. The account of the backups.')
param backupAccount string

@description('Required. The account that HSMs write to. None when empty.')
param hsmAccount string

@description('Required. The accounts of the hosts, which hold the packages.')
param hostAccounts string[]

@description('Required. Object ids of the identities that read backups.')
param readerIds string[]

@description('Required. Object ids of the identities that delete backups.')
param keeperIds string[]

var backupAccounts = concat([backupAccount], empty(hsmAccount) ? [] : [hsmAccount])
var backupAccountList = join(map(backupAccounts, account => '"${account}"'), ', ')
var hostAccountList = join(map(hostAccounts, account => '"${account}"'), ', ')
var readerList = join(map(readerIds, id => '"${toLower(id)}"'), ', ')
var keeperList = join(map(keeperIds, id => '"${toLower(id)}"'), ', ')

func groupOf(subscriptionId string, name string) string => '/subscriptions/${subscriptionId}/resourceGroups/${name}'

// Beginnings of the scopes at which a right reaches a source: the source, its resource group, its subscription.
var home = subscription().subscriptionId
var vaultGroups = map(vaults, vault => groupOf(vault.?subscriptionId ?? home, vault.resourceGroup))
var hsmGroups = map(hsms, hsm => groupOf(hsm.?subscriptionId ?? home, hsm.resourceGroup))
var vaultScopes = map(
  vaults,
  vault => '${groupOf(vault.?subscriptionId ?? home, vault.resourceGroup)}/providers/Microsoft.KeyVault/vaults/${vault.name}/'
)
var hsmScopes = map(
  hsms,
  hsm => '${groupOf(hsm.?subscriptionId ?? home, hsm.resourceGroup)}/providers/Microsoft.KeyVault/managedHSMs/${hsm.name}/'
)
var rightScopes = map(
  concat(union(vaultGroups, hsmGroups), map(activitySubscriptionIds, id => '/subscriptions/${id}')),
  scope => '${scope}/providers/Microsoft.Authorization/'
)
var scopes = concat(vaultScopes, hsmScopes, rightScopes)
var scopeCondition = join(map(scopes, scope => 'scope startswith "${toLower(scope)}"'), ' or ')
var exported = contains(activitySubscriptionIds, home)

// The log has the address as it was sent, and a caller may encode any letter of it.
var blobCalls = 'StorageBlobLogs | extend path = url_decode(Uri)'
// A request that was refused did nothing. Of one that was interrupted the status is not known.
var done = '| where StatusCode !startswith "4" and StatusCode !startswith "5"'
var caller = '| extend target = AccountName, caller = iff(isempty(RequesterObjectId), AuthenticationType, RequesterObjectId)'

var accessChanged = empty(activitySubscriptionIds)
  ? []
  : [
      {
        name: 'access-changed'
        title: 'Rights on a vault or HSM, or its settings, were changed'
        description: 'A role was assigned or taken at a vault or HSM, its resource group or its subscription, or its settings, access policies or log were changed.'
        severity: 2
        query: join(
          [
            'AzureActivity'
            '| where CategoryValue == "Administrative" and ActivityStatusValue startswith "Succe"'
            '| extend operation = tolower(OperationNameValue)'
            '| extend scope = strcat(tolower(coalesce(tostring(Authorization_d.scope), _ResourceId)), "/")'
            '| where ${scopeCondition}'
            // Contents of a vault that a template writes.
            '| where operation !startswith "microsoft.keyvault/vaults/secrets/" and operation !startswith "microsoft.keyvault/vaults/keys/"'
            '| extend target = scope, actor = Caller'
          ],
          '\n'
        )
        dimensions: ['target', 'operation', 'actor']
        frequency: 'PT15M'
      }
    ]

var rules = concat(accessChanged, [
  {
    name: 'backup-read'
    title: 'An unknown caller read a backup'
    description: 'A backup is as good as a copy of the key. The caller is none of the identities of this installation.'
    severity: 1
    query: join(
      [
        blobCalls
        '| where AccountName in~ (${backupAccountList})'
        // Lists, manifests and the trail are what a person at a terminal reads. Of an HSM backup every blob is a part.
        '| where Category == "StorageRead" and (path contains "/objects/" or path contains "/${storageNames.hsmCopyPrefix}" or AccountName =~ "${hsmAccount}")'
        // What is not known to return less than a blob counts as a read.
        '| where OperationName !startswith "List" and OperationName !endswith "Properties" and OperationName !endswith "Metadata"'
        '| where OperationName !in ("GetBlobTags", "GetBlockList", "GetContainerACL", "BlobPreflightRequest")'
        done
        '| where tolower(RequesterObjectId) !in (${readerList})'
        caller
      ],
      '\n'
    )
    dimensions: ['target', 'caller']
    frequency: 'PT5M'
  }
  {
    name: 'backup-deleted'
    title: 'A caller other than the keeper deleted backups'
    description: 'A blob, a version or a container of the backups was deleted, and not by retention.'
    severity: 1
    query: join(
      [
        blobCalls
        '| where AccountName in~ (${backupAccountList})'
        '| where Category == "StorageDelete"'
        // The lifecycle rule of the account deletes old probes, and nothing else.
        '| where path !contains "/${storageNames.backupContainer}/${storageNames.probePrefix}"'
        done
        '| where tolower(RequesterObjectId) !in (${keeperList})'
        caller
      ],
      '\n'
    )
    dimensions: ['target', 'caller']
    frequency: 'PT5M'
  }
  {
    name: 'package-written'
    title: 'The package of an app was written'
    description: 'A caller that writes the package of an app has the rights of its identity. Each deployment of the code does it.'
    severity: 1
    query: join(
      [
        blobCalls
        '| where AccountName in~ (${hostAccountList})'
        '| where Category in ("StorageWrite", "StorageDelete") and path contains "/${storageNames.deploymentContainer}"'
        done
        caller
      ],
      '\n'
    )
    dimensions: ['target', 'caller']
    frequency: 'PT15M'
  }
])

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: '${rule.description} What to do: ${operationsPage}#${rule.name}'
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.frequency
      // These logs arrive up to half an hour late. What is seen by several looks is told once.
      windowSize: 'PT1H'
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(rule.dimensions, name => { name: name, operator: 'Include', values: ['*'] })
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // A new workspace has none of the tables yet.
      skipQueryValidation: true
      actions: {
        actionGroups: [actionGroupId]
      }
    }
  }
]

// An identity with rights on the resource group can remove the guards of the backups. That must not go unnoticed, and comes
// from the activity log itself, so that it needs no workspace. Operations that end in a read are not in that log.
var guardOperations = [
  'Microsoft.Authorization/roleAssignments/write'
  'Microsoft.Authorization/roleAssignments/delete'
  'Microsoft.Authorization/roleDefinitions/write'
  'Microsoft.Authorization/roleDefinitions/delete'
  'Microsoft.Authorization/locks/write'
  'Microsoft.Authorization/locks/delete'
  'Microsoft.Insights/diagnosticSettings/write'
  'Microsoft.Insights/diagnosticSettings/delete'
  'Microsoft.Insights/scheduledQueryRules/write'
  'Microsoft.Insights/scheduledQueryRules/delete'
  'Microsoft.Insights/activityLogAlerts/write'
  'Microsoft.Insights/activityLogAlerts/delete'
  'Microsoft.Insights/actionGroups/write'
  'Microsoft.Insights/actionGroups/delete'
  // A processing rule holds the messages of alerts back.
  'Microsoft.AlertsManagement/actionRules/write'
  'Microsoft.OperationalInsights/workspaces/write'
  'Microsoft.OperationalInsights/workspaces/delete'
  // How long a log is kept, and what is taken out of it.
  'Microsoft.OperationalInsights/workspaces/tables/write'
  'Microsoft.OperationalInsights/workspaces/tables/delete'
  'Microsoft.OperationalInsights/workspaces/purge/action'
  'Microsoft.Storage/storageAccounts/write'
  'Microsoft.Storage/storageAccounts/delete'
  'Microsoft.Storage/storageAccounts/blobServices/write'
  'Microsoft.Storage/storageAccounts/blobServices/containers/delete'
  'Microsoft.Storage/storageAccounts/blobServices/containers/clearLegalHold/action'
  'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/write'
  'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete'
  'Microsoft.Storage/storageAccounts/managementPolicies/write'
  'Microsoft.Storage/storageAccounts/managementPolicies/delete'
  'Microsoft.Storage/storageAccounts/objectReplicationPolicies/write'
]

resource guardChanged 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'alert-guard-changed-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Rights, locks, write protection, firewall, logging or alerts of the backups, an app or an identity were changed, or the keys of an app were listed. What to do: ${operationsPage}#guard-changed'
    enabled: true
    scopes: [resourceGroup().id]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'status'
          equals: 'Succeeded'
        }
        {
          anyOf: [
            {
              field: 'operationName'
              containsAny: guardOperations
            }
            // Everything that is done to an app: its settings, its code, its keys.
            {
              field: 'resourceProvider'
              equals: 'Microsoft.Web'
            }
            // Federated credentials, and resources that get an identity.
            {
              field: 'resourceProvider'
              equals: 'Microsoft.ManagedIdentity'
            }
          ]
        }
      ]
    }
    actions: {
      actionGroups: [
        {
          actionGroupId: actionGroupId
        }
      ]
    }
  }
}

// Without the export `access-changed` is blind, so this one does not use it.
resource exportChanged 'Microsoft.Insights/activityLogAlerts@2020-10-01' = if (exported) {
  name: 'alert-export-changed-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The setting that sends the activity log of this subscription to the workspace was changed. What to do: ${operationsPage}#export-changed'
    enabled: true
    scopes: [subscription().id]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'status'
          equals: 'Succeeded'
        }
        {
          field: 'operationName'
          containsAny: [
            'Microsoft.Insights/diagnosticSettings/write'
            'Microsoft.Insights/diagnosticSettings/delete'
          ]
        }
        {
          field: 'resourceId'
          equals: '${subscription().id}/providers/Microsoft.Insights/diagnosticSettings/${activitySettingName}'
        }
      ]
    }
    actions: {
      actionGroups: [
        {
          actionGroupId: actionGroupId
        }
      ]
    }
  }
}

metadata name = 'Storage account'
metadata description = 'The common settings of every account here. No key opens it and nothing in it is public.'

import { resourceTags } from '../types.bicep'

@description('Required. The name, unique in Azure.')
@minLength(3)
@maxLength(24)
param name string

@description('Required. Where the account lives.')
param location string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. Redundancy of the data.')
param sku 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS' | 'Standard_RAGZRS'

@description('Required. Containers to create.')
param containers string[]

@description('Optional. Queues to create. Each gets a poison queue, because the apps may not create queues.')
param queues string[] = []

@description('Required. Keeps the versions of blobs.')
param versioning bool

@description('Required. Days in which deleted blobs and containers can be recovered.')
param softDeleteDays int

@description('Optional. Days in which nothing can be changed or deleted. Can be set only when the account is created.')
param immutabilityDays int?

@description('Optional. Locked cannot be undone.')
param immutabilityState 'Unlocked' | 'Locked' = 'Unlocked'

@description('Optional. Prefixes of probes, which storage deletes by their age: container and beginning of the name. Never those of backups.')
param probePrefixes string[] = []

@description('Optional. Days after which probes and their versions are deleted.')
param probeDays int = 30

@description('Required. Allows access from the public network, with a token.')
param publicAccess bool

@description('Optional. Allows services that Azure trusts and that have a role here. Managed HSM is one.')
param trustedServices bool = false

@description('Required. The workspace that gets the logs.')
param workspaceId string

@description('Required. Guards the account against deletion.')
param lock bool

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowedCopyScope: 'AAD'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isHnsEnabled: false
    isLocalUserEnabled: false
    isSftpEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // A trusted service does not get past publicNetworkAccess Disabled, but past defaultAction Deny.
    publicNetworkAccess: publicAccess || trustedServices ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: trustedServices ? 'AzureServices' : 'None'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
      ipRules: []
      virtualNetworkRules: []
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
    sasPolicy: {
      expirationAction: 'Block'
      sasExpirationPeriod: '00.01:00:00'
    }
    immutableStorageWithVersioning: immutabilityDays == null
      ? null
      : {
          enabled: true
          immutabilityPolicy: {
            allowProtectedAppendWrites: false
            immutabilityPeriodSinceCreationInDays: immutabilityDays!
            state: immutabilityState
          }
        }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: versioning
    changeFeed: versioning ? { enabled: true } : null
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
      allowPermanentDelete: false
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for container in containers: {
    parent: blobs
    name: container
    properties: {
      publicAccess: 'None'
    }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource workQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for queue in flatten(map(queues, work => [work, '${work}-poison'])): {
    parent: queueService
    name: queue
  }
]

// An account has one policy. It stays in Azure when a template has none, so one that deletes no backup replaces the one of earlier
// versions, which did.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = if (!empty(probePrefixes)) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-old-probes'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: probePrefixes
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: probeDays
                }
              }
              // Without this, a deleted blob stays as a version for ever.
              version: {
                delete: {
                  daysAfterCreationGreaterThan: probeDays
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [blobs]
}

resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'keyvault-backup'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'keyvault-backup'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource guard 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  name: 'keep'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Backups, or the app that makes them.'
  }
}

@description('The account.')
output resourceId string = account.id

@description('The name of the account.')
output name string = account.name

@description('The endpoint for blobs; ends with a slash.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('The endpoint for queues; ends with a slash.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

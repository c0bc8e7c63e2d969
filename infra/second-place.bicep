targetScope = 'subscription'

metadata name = 'Second place'
metadata description = 'An account for copies of all backups, deployed and owned by others than the rest. The keeper of the first place gets one role here: it reads blobs and adds new ones.'

import { customRoleName, resourceTags, storageNames } from 'types.bicep'

@description('Required. The name of the account, unique in Azure.')
@minLength(3)
@maxLength(24)
param accountName string

@description('Optional. The region of the account. Another one than that of the first place is better.')
param location string = deployment().location

@description('Optional. The resource group that is created.')
param resourceGroupName string = 'rg-kvbackup-second'

@description('Optional. Tags of all resources.')
param tags resourceTags = {}

@description('Optional. Redundancy of the copies.')
param redundancy 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS' | 'Standard_RAGZRS' = 'Standard_ZRS'

@description('Required. Days in which no copy can be changed or deleted, by anyone.')
@minValue(7)
@maxValue(400)
param immutabilityDays int

@description('Optional. Locked cannot be undone. The first deployment needs Unlocked.')
param immutabilityState 'Unlocked' | 'Locked' = 'Unlocked'

@description('Optional. Days in which deleted copies can be recovered.')
@minValue(7)
@maxValue(365)
param softDeleteDays int = 30

@description('Required. The object id of the keeper of the first place, an output of main.bicep. Its identity must be of this tenant.')
param keeperPrincipalId string

@description('Optional. Allows access from the public network, with a token. Without it the keeper needs a private endpoint.')
param publicAccess bool = true

@description('Required. The workspace that gets the logs. Not that of the first place: its administrators are not to reach these.')
param workspaceId string

// The same role as that of the first place for what may only add: a subscription of its own needs a role of its own.
resource blobWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'blobWriter')
  properties: {
    roleName: 'Key Vault Backup Blob Writer ${subscription().subscriptionId}'
    description: 'Reads blobs and adds new ones. Changes and deletes neither blobs nor versions, and changes no policy.'
    type: 'CustomRole'
    assignableScopes: ['/subscriptions/${subscription().subscriptionId}']
    permissions: [
      {
        actions: ['Microsoft.Storage/storageAccounts/blobServices/containers/read']
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module account 'modules/storage-account.bicep' = {
  scope: group
  params: {
    name: accountName
    location: location
    tags: tags
    sku: redundancy
    containers: [storageNames.backupContainer]
    versioning: true
    softDeleteDays: softDeleteDays
    immutabilityDays: immutabilityDays
    immutabilityState: immutabilityState
    publicAccess: publicAccess
    workspaceId: workspaceId
    lock: true
  }
}

module keeper 'modules/grant-container.bicep' = {
  scope: group
  params: {
    accountName: account.outputs.name
    containerName: storageNames.backupContainer
    principalId: keeperPrincipalId
    roleDefinitionName: blobWriter.name
    // What it copies, its own notes and probes. What the owners decide lies under another name, where it can add nothing.
    writesUnder: [
      storageNames.acknowledgedPrefix
      storageNames.attestationPrefix
      storageNames.auditPrefix
      storageNames.backupPrefix
      storageNames.drillPrefix
      storageNames.evidencePrefix
      storageNames.holdPrefix
      storageNames.hsmCopyPrefix
      storageNames.hsmRecordPrefix
      storageNames.probePrefix
      storageNames.retentionPrefix
      storageNames.secondPrefix
      storageNames.verificationPrefix
    ]
  }
}

@description('The container, for the parameter secondPlace of main.bicep.')
output containerUrl string = '${account.outputs.blobEndpoint}${storageNames.backupContainer}'

targetScope = 'subscription'

metadata name = 'Custom roles'
metadata description = 'The six roles that no built-in role is narrow enough for. Deployed once, by an Owner or a User Access Administrator.'

import { customRoleName } from 'types.bicep'

@description('Optional. Subscriptions that hold vaults, besides this one. The roles can be assigned there.')
param vaultSubscriptionIds string[] = []

@description('Optional. Ends the names of the roles. Role names are unique in a tenant.')
param nameSuffix string = subscription().subscriptionId

var assignableScopes = map(union([subscription().subscriptionId], vaultSubscriptionIds), id => '/subscriptions/${id}')

resource backup 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'backup')
  properties: {
    roleName: 'Key Vault Backup Operator ${nameSuffix}'
    description: 'Lists and backs up secrets, keys and certificates. Reads no value, restores nothing, deletes nothing.'
    type: 'CustomRole'
    assignableScopes: assignableScopes
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
          'Microsoft.KeyVault/vaults/secrets/backup/action'
          'Microsoft.KeyVault/vaults/keys/read'
          'Microsoft.KeyVault/vaults/keys/backup/action'
          'Microsoft.KeyVault/vaults/certificates/read'
          'Microsoft.KeyVault/vaults/certificates/backup/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource restore 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'restore')
  properties: {
    roleName: 'Key Vault Restore Operator ${nameSuffix}'
    description: 'Lists and restores secrets, keys and certificates. Reads no value, backs up nothing, deletes nothing.'
    type: 'CustomRole'
    assignableScopes: assignableScopes
    permissions: [
      {
        actions: []
        notActions: []
        // Reading metadata shows conflicts of a restore, even with deleted objects.
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
          'Microsoft.KeyVault/vaults/secrets/restore/action'
          'Microsoft.KeyVault/vaults/keys/read'
          'Microsoft.KeyVault/vaults/keys/restore/action'
          'Microsoft.KeyVault/vaults/certificates/read'
          'Microsoft.KeyVault/vaults/certificates/restore/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource drill 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'drill')
  properties: {
    roleName: 'Key Vault Drill Operator ${nameSuffix}'
    description: 'Lists, restores, deletes and purges secrets, keys and certificates, in vaults made for drills. Reads no value.'
    type: 'CustomRole'
    assignableScopes: assignableScopes
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
          'Microsoft.KeyVault/vaults/secrets/restore/action'
          'Microsoft.KeyVault/vaults/secrets/delete'
          'Microsoft.KeyVault/vaults/secrets/purge/action'
          'Microsoft.KeyVault/vaults/keys/read'
          'Microsoft.KeyVault/vaults/keys/restore/action'
          'Microsoft.KeyVault/vaults/keys/delete'
          'Microsoft.KeyVault/vaults/keys/purge/action'
          'Microsoft.KeyVault/vaults/certificates/read'
          'Microsoft.KeyVault/vaults/certificates/restore/action'
          'Microsoft.KeyVault/vaults/certificates/delete'
          'Microsoft.KeyVault/vaults/certificates/purge/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource blobWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'blobWriter')
  properties: {
    roleName: 'Key Vault Backup Blob Writer ${nameSuffix}'
    description: 'Reads blobs and adds new ones. Changes and deletes neither blobs nor versions, and changes no policy.'
    type: 'CustomRole'
    assignableScopes: ['/subscriptions/${subscription().subscriptionId}']
    permissions: [
      {
        // Shows whether the container is there and is write-protected.
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

resource blobKeeper 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'blobKeeper')
  properties: {
    roleName: 'Key Vault Backup Blob Keeper ${nameSuffix}'
    description: 'Reads blobs and deletes them, and their versions. Adds and changes none, and changes no policy.'
    type: 'CustomRole'
    assignableScopes: ['/subscriptions/${subscription().subscriptionId}']
    permissions: [
      {
        actions: ['Microsoft.Storage/storageAccounts/blobServices/containers/read']
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action'
        ]
        notDataActions: []
      }
    ]
  }
}

// https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory: Update Message needs this action, and
// no built-in role has it alone. The built-in role for triggers lacks it: https://github.com/MicrosoftDocs/azure-docs/issues/120932.
resource queueReleaser 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: customRoleName(subscription().subscriptionId, 'queueReleaser')
  properties: {
    roleName: 'Key Vault Backup Queue Releaser ${nameSuffix}'
    description: 'Changes messages of queues: the host releases a message that failed, so that it is delivered again in time.'
    type: 'CustomRole'
    assignableScopes: ['/subscriptions/${subscription().subscriptionId}']
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: ['Microsoft.Storage/storageAccounts/queueServices/queues/messages/write']
        notDataActions: []
      }
    ]
  }
}

@description('The name of the role that backs up; the owner of a vault needs it for vault-access.bicep.')
output backupRoleName string = backup.name

@description('The name of the role that restores.')
output restoreRoleName string = restore.name

@description('The name of the role that drills.')
output drillRoleName string = drill.name

@description('The name of the role that adds blobs.')
output blobWriterRoleName string = blobWriter.name

@description('The name of the role that deletes blobs.')
output blobKeeperRoleName string = blobKeeper.name

@description('The name of the role that releases messages.')
output queueReleaserRoleName string = queueReleaser.name

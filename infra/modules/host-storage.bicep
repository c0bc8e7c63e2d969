metadata name = 'Host storage'
metadata description = 'What the Functions host of one app needs: the package, keys, leases, open jobs and the work queue. Each app has its own, because an identity that can write here can replace the code of the app.'

import { builtInRoles, resourceTags, storageNames } from '../types.bicep'

@description('Required. The name of the account.')
param name string

@description('Required. Where the account lives.')
param location string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. The work queue of the app; empty when it has none.')
param queue string

@description('Required. GUID of the custom role that releases messages.')
param queueRoleName string

@description('Required. The object id of the identity of the app.')
param principalId string

@description('Optional. Object ids of the identities of other apps that read the open jobs, and nothing else here.')
param jobReaderIds string[] = []

@description('Required. Keeps data in several zones.')
param zoneRedundant bool

@description('Required. Allows access from the public network, with a token.')
param publicAccess bool

@description('Required. The workspace that gets the logs.')
param workspaceId string

@description('Required. Guards the account against deletion.')
param lock bool

module account 'storage-account.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    containers: [storageNames.deploymentContainer, storageNames.jobsContainer]
    queues: empty(queue) ? [] : [queue]
    // Leases and open jobs change every minute; their versions are useless.
    versioning: false
    softDeleteDays: 7
    publicAccess: publicAccess
    workspaceId: workspaceId
    lock: lock
  }
}

module grants 'grant-account.bicep' = {
  params: {
    accountName: account.outputs.name
    principalId: principalId
    roleDefinitionNames: concat(
      // The host requires it: leases of timers, and keys of functions. It covers the jobs container too.
      [builtInRoles.storageBlobDataOwner],
      // Together they permit less than contributor: no queue can be created or deleted. Without the last the host could not release
      // a message that failed, and it would come back only when its visibility ends.
      empty(queue)
        ? []
        : [
            builtInRoles.storageQueueDataReader
            builtInRoles.storageQueueDataMessageProcessor
            builtInRoles.storageQueueDataMessageSender
            queueRoleName
          ]
    )
  }
}

module jobReaders 'grant-container.bicep' = [
  for principalId in jobReaderIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.jobsContainer
      principalId: principalId
      roleDefinitionName: builtInRoles.storageBlobDataReader
    }
  }
]

@description('The account.')
output resourceId string = account.outputs.resourceId

@description('The endpoint for blobs.')
output blobEndpoint string = account.outputs.blobEndpoint

@description('The endpoint for queues.')
output queueEndpoint string = account.outputs.queueEndpoint

metadata name = 'Backup storage'
metadata description = 'Backups of vault objects. Written once: no app can change them at all, and one app alone can delete them, after their time.'

import { builtInRoles, resourceTags, retentionSettings, storageNames } from '../types.bicep'

@description('Required. The name of the account.')
param name string

@description('Required. Where the account lives.')
param location string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. Redundancy of the data.')
param sku 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS' | 'Standard_RAGZRS'

@description('Required. Retention of backups, deleted data and logs.')
param retention retentionSettings

@description('Required. Allows access from the public network, with a token.')
param publicAccess bool

@description('Required. The object id of the identity that backs up. It adds backups, the audit trail, records of HSM backups and probes.')
param writerId string

@description('Required. GUID of the custom role that adds blobs, and changes and deletes none.')
param writerRoleName string

@description('Required. Object ids of the identities that restore. They read, and add the audit trail, records of HSM backups and probes alone.')
param restorerIds string[]

@description('Required. Object ids of the identities that apply retention. They read and delete, and add records of it.')
param keeperIds string[]

@description('Required. Object ids of the identities that read, and do nothing else.')
param readerIds string[]

@description('Required. GUID of the custom role that deletes blobs and their versions, and adds and changes none.')
param keeperRoleName string

@description('Required. The workspace that gets the logs.')
param workspaceId string

@description('Required. Guards the account against deletion.')
param lock bool

module account 'storage-account.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    sku: sku
    containers: [storageNames.backupContainer]
    versioning: true
    softDeleteDays: retention.softDeleteDays
    immutabilityDays: retention.immutabilityDays
    immutabilityState: retention.immutabilityState
    // By age alone nothing goes that can be the only copy of something.
    probePrefixes: ['${storageNames.backupContainer}/${storageNames.probePrefix}']
    probeDays: retention.immutabilityDays + 1
    publicAccess: publicAccess
    workspaceId: workspaceId
    lock: lock
  }
}

module writer 'grant-container.bicep' = {
  params: {
    accountName: account.outputs.name
    containerName: storageNames.backupContainer
    principalId: writerId
    roleDefinitionName: writerRoleName
    // Only people may add acknowledgements and acceptances: an app that could add them could silence its own failures.
    writesUnder: [
      storageNames.backupPrefix
      storageNames.auditPrefix
      storageNames.hsmRecordPrefix
      storageNames.probePrefix
    ]
  }
}

module restorers 'grant-container.bicep' = [
  for principalId in restorerIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.backupContainer
      principalId: principalId
      roleDefinitionName: writerRoleName
      // The safety backup of a full restore of an HSM is recorded with the other backups.
      writesUnder: [storageNames.auditPrefix, storageNames.hsmRecordPrefix, storageNames.probePrefix]
    }
  }
]

// What the keeper adds, and what it deletes: of its own records only the copies of manifests.
module keeperRecords 'grant-container.bicep' = [
  for principalId in keeperIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.backupContainer
      principalId: principalId
      roleDefinitionName: writerRoleName
      writesUnder: [
        storageNames.auditPrefix
        storageNames.drillPrefix
        storageNames.evidencePrefix
        storageNames.hsmCopyPrefix
        storageNames.retentionPrefix
        storageNames.secondPrefix
        storageNames.verificationPrefix
      ]
      // Releases and consents are for people.
      writesNotUnder: [storageNames.peoplePrefix]
    }
  }
]

module keepers 'grant-container.bicep' = [
  for principalId in keeperIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.backupContainer
      principalId: principalId
      roleDefinitionName: keeperRoleName
      deletesUnder: [
        storageNames.backupPrefix
        storageNames.hsmRecordPrefix
        storageNames.hsmCopyPrefix
        storageNames.probePrefix
        storageNames.copyPrefix
      ]
    }
  }
]

module readers 'grant-container.bicep' = [
  for principalId in readerIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.backupContainer
      principalId: principalId
      roleDefinitionName: builtInRoles.storageBlobDataReader
    }
  }
]

@description('The account.')
output resourceId string = account.outputs.resourceId

@description('The container for backups.')
output containerUrl string = '${account.outputs.blobEndpoint}${storageNames.backupContainer}'

metadata name = 'Backup storage'
metadata description = 'Backups of vault objects. Written once: no app can change them at all, nor an administrator before their time.'

import { resourceTags, retentionSettings, storageNames } from '../types.bicep'

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
    deleteAfterDays: retention.deleteAfterDays
    // The audit trail, the records of HSM backups, acknowledgements and acceptances stay.
    deletePrefixes: [
      '${storageNames.backupContainer}/${storageNames.backupPrefix}'
      '${storageNames.backupContainer}/${storageNames.probePrefix}'
    ]
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

@description('The account.')
output resourceId string = account.outputs.resourceId

@description('The container for backups.')
output containerUrl string = '${account.outputs.blobEndpoint}${storageNames.backupContainer}'

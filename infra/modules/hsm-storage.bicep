metadata name = 'HSM landing storage'
metadata description = 'Where Managed HSMs write their full backups. Managed HSM refuses an account with an immutability policy, so this one has versions, soft delete and a lock instead.'

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

@description('Required. The object id of the identity that is attached to the HSMs. It alone writes here.')
param hsmPrincipalId string

@description('Required. Object ids of the identities that search for backups here.')
param readerIds string[]

@description('Required. Object ids of the identities that apply retention. They read and delete.')
param keeperIds string[]

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
    containers: [storageNames.hsmContainer]
    versioning: true
    softDeleteDays: retention.softDeleteDays
    // Folders of backups begin with the service's own word, and no app adds here: this matches nothing.
    probePrefixes: ['${storageNames.hsmContainer}/${storageNames.probePrefix}']
    probeDays: retention.immutabilityDays + 1
    publicAccess: publicAccess
    trustedServices: true
    workspaceId: workspaceId
    lock: lock
  }
}

module writer 'grant-container.bicep' = {
  params: {
    accountName: account.outputs.name
    containerName: storageNames.hsmContainer
    principalId: hsmPrincipalId
    roleDefinitionName: builtInRoles.storageBlobDataContributor
  }
}

module readers 'grant-container.bicep' = [
  for principalId in readerIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.hsmContainer
      principalId: principalId
      roleDefinitionName: builtInRoles.storageBlobDataReader
    }
  }
]

module keepers 'grant-container.bicep' = [
  for principalId in keeperIds: {
    params: {
      accountName: account.outputs.name
      containerName: storageNames.hsmContainer
      principalId: principalId
      roleDefinitionName: keeperRoleName
    }
  }
]

@description('The account.')
output resourceId string = account.outputs.resourceId

@description('The container for HSM backups.')
output containerUrl string = '${account.outputs.blobEndpoint}${storageNames.hsmContainer}'

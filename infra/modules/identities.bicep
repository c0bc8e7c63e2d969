metadata name = 'Identities'
metadata description = 'One identity for each right, so that no process holds two of them.'

import { resourceTags } from '../types.bicep'

@description('Required. Where the identities live.')
param location string

@description('Required. Ends the names.')
param suffix string

@description('Required. Tags of the resources.')
param tags resourceTags

resource backup 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-kvbackup-backup-${suffix}'
  location: location
  tags: tags
}

resource restore 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-kvbackup-restore-${suffix}'
  location: location
  tags: tags
}

resource keeper 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-kvbackup-keeper-${suffix}'
  location: location
  tags: tags
}

// Attached to the HSMs themselves. No function runs as this identity.
resource hsm 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-kvbackup-hsm-${suffix}'
  location: location
  tags: tags
}

@description('The resource id of the identity that backs up.')
output backupResourceId string = backup.id

@description('The object id of the identity that backs up.')
output backupPrincipalId string = backup.properties.principalId

@description('The client id of the identity that backs up.')
output backupClientId string = backup.properties.clientId

@description('The resource id of the identity that restores.')
output restoreResourceId string = restore.id

@description('The object id of the identity that restores.')
output restorePrincipalId string = restore.properties.principalId

@description('The client id of the identity that restores.')
output restoreClientId string = restore.properties.clientId

@description('The resource id of the identity that deletes.')
output keeperResourceId string = keeper.id

@description('The object id of the identity that deletes.')
output keeperPrincipalId string = keeper.properties.principalId

@description('The client id of the identity that deletes.')
output keeperClientId string = keeper.properties.clientId

@description('The resource id of the identity of the HSMs.')
output hsmResourceId string = hsm.id

@description('The object id of the identity of the HSMs.')
output hsmPrincipalId string = hsm.properties.principalId

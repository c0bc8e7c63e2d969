metadata name = 'Identities'
metadata description = 'One identity for each right, so that no process holds two of them.'

import { resourceTags } from '../types.bicep'

@description('Required. Where the identities live.')
param location string

@description('Required. Ends the names.')
param suffix string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. Makes the two identities of the page app.')
param signIn bool

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

resource page 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (signIn) {
  name: 'id-kvbackup-page-${suffix}'
  location: location
  tags: tags
}

// Has no right in Azure. Its tokens stand for a client secret when the platform signs people in to the page app, which it is
// attached to and nothing else is: who holds it can act as that registration.
resource signInProof 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (signIn) {
  name: 'id-kvbackup-signin-${suffix}'
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

@description('The resource id of the identity of the page app; empty when there is none.')
output pageResourceId string = signIn ? page!.id : ''

@description('The object id of the identity of the page app; empty when there is none.')
output pagePrincipalId string = signIn ? page!.properties.principalId : ''

@description('The client id of the identity of the page app; empty when there is none.')
output pageClientId string = signIn ? page!.properties.clientId : ''

@description('The resource id of the identity that stands for a client secret; empty when there is none.')
output signInResourceId string = signIn ? signInProof!.id : ''

@description('The object id of the identity that stands for a client secret; empty when there is none.')
output signInPrincipalId string = signIn ? signInProof!.properties.principalId : ''

@description('The client id of the identity that stands for a client secret; empty when there is none.')
output signInClientId string = signIn ? signInProof!.properties.clientId : ''

@description('The resource id of the identity of the HSMs.')
output hsmResourceId string = hsm.id

@description('The object id of the identity of the HSMs.')
output hsmPrincipalId string = hsm.properties.principalId

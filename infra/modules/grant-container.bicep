metadata name = 'Role on a container'
metadata description = 'Grants one identity one role on one container.'

@description('Required. The name of the account.')
param accountName string

@description('Required. The name of the container.')
param containerName string

@description('Required. The object id of the identity.')
param principalId string

@description('Required. GUID of the role.')
param roleDefinitionName string

@description('Optional. Narrows adding and writing to names that begin with one of these. Everywhere in the container when empty.')
param writesUnder string[] = []

@description('Optional. Of those, names that begin with one of these are left out.')
param writesNotUnder string[] = []

@description('Optional. Narrows deleting, of versions too, to names that begin with one of these. Everywhere in the container when empty.')
param deletesUnder string[] = []

// Reading is not narrowed. Two actions create blobs, and two delete them, so both are, whatever the role has.
var blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'
var writePlaces = map(writesUnder, prefix => '@Resource[${blobs}:path] StringLike \'${prefix}*\'')
var otherPlaces = map(writesNotUnder, prefix => ' AND @Resource[${blobs}:path] StringNotLike \'${prefix}*\'')
var deletePlaces = map(deletesUnder, prefix => '@Resource[${blobs}:path] StringLike \'${prefix}*\'')
var writeTo = '(${join(writePlaces, ' OR ')})${join(otherPlaces, '')}'
var writes = join(
  [
    '((!(ActionMatches{\'${blobs}/write\'}) AND !(ActionMatches{\'${blobs}/add/action\'}))'
    ' OR ${empty(writesNotUnder) ? writeTo : '(${writeTo})'})'
  ],
  ''
)
var deletes = join(
  [
    '((!(ActionMatches{\'${blobs}/delete\'}) AND !(ActionMatches{\'${blobs}/deleteBlobVersion/action\'}))'
    ' OR (${join(deletePlaces, ' OR ')}))'
  ],
  ''
)
var conditions = concat(empty(writesUnder) ? [] : [writes], empty(deletesUnder) ? [] : [deletes])

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: accountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = {
      name: containerName
    }
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::container.id, principalId, roleDefinitionName)
  scope: account::blobs::container
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleDefinitionName)
    condition: empty(conditions) ? null : join(conditions, ' AND ')
    conditionVersion: empty(conditions) ? null : '2.0'
  }
}

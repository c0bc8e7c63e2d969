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

// Reading is not narrowed. Two actions create blobs, so both are, whatever the role has.
var blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'
var places = map(writesUnder, prefix => '@Resource[${blobs}:path] StringLike \'${prefix}*\'')
var condition = join(
  [
    '((!(ActionMatches{\'${blobs}/write\'}) AND !(ActionMatches{\'${blobs}/add/action\'}))'
    ' OR (${join(places, ' OR ')}))'
  ],
  ''
)

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
    condition: empty(writesUnder) ? null : condition
    conditionVersion: empty(writesUnder) ? null : '2.0'
  }
}

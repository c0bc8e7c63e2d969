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
  }
}

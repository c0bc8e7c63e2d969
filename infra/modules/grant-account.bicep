metadata name = 'Roles on a storage account'
metadata description = 'Grants one identity built-in roles on a whole account.'

@description('Required. The name of the account.')
param accountName string

@description('Required. The object id of the identity.')
param principalId string

@description('Required. GUIDs of the roles.')
param roleDefinitionNames string[]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: accountName
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in roleDefinitionNames: {
    name: guid(account.id, principalId, role)
    scope: account
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

targetScope = 'resourceGroup'

metadata name = 'Access to one vault'
metadata description = 'Grants rights on an existing vault, and sends its audit log. The owner of the vault can deploy this file alone. It never writes the vault itself.'

@description('Required. The name of the vault, in this resource group.')
param vaultName string

@description('Required. The object id of the identity that gets access.')
param principalId string

@description('Required. The access of the identity.')
param access 'backup' | 'restore' | 'drill'

@description('Required. The name (a GUID) of the custom role for it, an output of main.bicep and roles.bicep.')
param roleDefinitionName string

@description('Optional. The access model of the vault.')
param accessModel 'rbac' | 'accessPolicy' = 'rbac'

@description('Optional. The Log Analytics workspace that gets the audit log. None when empty.')
param workspaceId string = ''

// Access policies have no narrower right to read names than list. The right get is never granted.
var permissions = access == 'backup'
  ? ['list', 'backup']
  : access == 'restore' ? ['list', 'restore'] : ['list', 'restore', 'delete', 'purge']

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (accessModel == 'rbac') {
  // The principal is in the name: an identity that is recreated gets an assignment of its own.
  name: guid(vault.id, principalId, roleDefinitionName)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleDefinitionName)
    description: 'keyvault-backup: ${access}'
  }
}

// The name add merges this principal into the existing policies.
resource policy 'Microsoft.KeyVault/vaults/accessPolicies@2026-02-01' = if (accessModel == 'accessPolicy') {
  parent: vault
  name: 'add'
  properties: {
    accessPolicies: [
      {
        tenantId: tenant().tenantId
        objectId: principalId
        permissions: {
          secrets: permissions
          keys: permissions
          certificates: permissions
          storage: []
        }
      }
    ]
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  name: 'keyvault-backup'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

@description('The vault that access was granted on.')
output resourceId string = vault.id

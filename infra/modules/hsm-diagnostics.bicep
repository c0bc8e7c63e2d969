metadata name = 'Audit log of an HSM'
metadata description = 'Sends the audit log of an existing HSM. It never writes the HSM itself.'

@description('Required. The name of the HSM, in this resource group.')
param hsmName string

@description('Required. The workspace that gets the log.')
param workspaceId string

resource hsm 'Microsoft.KeyVault/managedHSMs@2026-02-01' existing = {
  name: hsmName
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'keyvault-backup'
  scope: hsm
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

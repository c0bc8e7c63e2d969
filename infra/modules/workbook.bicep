metadata name = 'Workbook'
metadata description = 'A page of the Azure portal on what the program logged: runs, failures, losses, restores, verification. docs/metrics.md describes it.'

import { resourceTags } from '../types.bicep'

@description('Required. Where the resource lives.')
param location string

@description('Required. Tags of the resource.')
param tags resourceTags

@description('Required. The workspace that is queried.')
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  // Azure wants a GUID as the name.
  name: guid(workspaceId, 'backups')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Key Vault backups'
    category: 'workbook'
    version: '1.0'
    sourceId: workspaceId
    serializedData: replace(loadTextContent('workbook.json'), 'WORKSPACE_ID', workspaceId)
  }
}

metadata name = 'Monitoring'
metadata description = 'The workspace and the component that all logs go to. The apps may add to it, and no more.'

import { builtInRoles, resourceTags } from '../types.bicep'

@description('Required. Where the resources live.')
param location string

@description('Required. Ends the names.')
param suffix string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. Days for which logs are kept.')
param logDays int

@description('Required. Object ids of the identities that may send telemetry.')
param publisherIds string[]

@description('Required. Guards the workspace against deletion.')
param lock bool

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-kvbackup-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: logDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-kvbackup-${suffix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

resource publishers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in publisherIds: {
    name: guid(component.id, principalId, builtInRoles.monitoringMetricsPublisher)
    scope: component
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        builtInRoles.monitoringMetricsPublisher
      )
    }
  }
]

resource guard 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  name: 'keep'
  scope: workspace
  properties: {
    level: 'CanNotDelete'
    notes: 'The audit trail of backups and restores.'
  }
}

@description('The workspace.')
output workspaceId string = workspace.id

@description('The name of the component.')
output componentName string = component.name

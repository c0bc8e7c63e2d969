targetScope = 'subscription'

metadata name = 'Activity log of a subscription'
metadata description = 'Sends to the workspace who changed what in a subscription. Azure allows five such settings for each subscription.'

@description('Required. The name of the setting, unique in the subscription.')
param name string

@description('Required. The workspace that gets the log.')
param workspaceId string

resource setting 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: name
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'Administrative'
        enabled: true
      }
      {
        category: 'Security'
        enabled: true
      }
    ]
  }
}

@description('The setting.')
output resourceId string = setting.id

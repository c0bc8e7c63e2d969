metadata name = 'Private endpoint'
metadata description = 'One private endpoint of one service, with its name in the private zone.'

import { resourceTags } from '../types.bicep'

@description('Required. The name of the endpoint.')
param name string

@description('Required. Where the endpoint lives; the region of the network.')
param location string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. The subnet for the endpoint.')
param subnetId string

@description('Required. The target resource.')
param targetId string

@description('Required. The part of the target, such as blob.')
param groupId 'blob' | 'queue' | 'vault' | 'managedhsm'

@description('Required. The private zone that gets the name.')
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: name
        properties: {
          privateLinkServiceId: targetId
          groupIds: [groupId]
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: groupId
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

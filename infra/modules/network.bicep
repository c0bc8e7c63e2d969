metadata name = 'Network'
metadata description = 'A network with a subnet for each app and one for private endpoints, and the private zones.'

import { resourceTags } from '../types.bicep'

@description('Required. Where the network lives.')
param location string

@description('Required. Ends the names.')
param suffix string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. The address range, /24 or larger.')
param addressPrefix string

@description('Required. The address range of the subnet of the page app, outside of the other one; empty when there is no such app.')
param pagePrefix string

// The zones follow the cloud: only the first label differs between the services of Key Vault.
var vaultSuffix = environment().suffixes.keyvaultDns
var vaultZoneNames = [
  'privatelink${replace(vaultSuffix, '.vault.', '.vaultcore.')}'
  'privatelink${replace(vaultSuffix, '.vault.', '.managedhsm.')}'
]
var storageZoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
]
var zoneNames = concat(storageZoneNames, vaultZoneNames)

resource appGuard 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-kvbackup-${suffix}'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

// The first range is full: four subnets of /26 in a /24.
var pageRanges = empty(pagePrefix) ? [] : [pagePrefix]
var pageSubnets = map(pageRanges, prefix => {
  name: 'snet-page'
  properties: {
    addressPrefix: prefix
    networkSecurityGroup: {
      id: appGuard.id
    }
    delegations: [
      {
        name: 'apps'
        properties: {
          serviceName: 'Microsoft.App/environments'
        }
      }
    ]
  }
})

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-kvbackup-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: concat([addressPrefix], pageRanges)
    }
    subnets: concat(
      [
        {
          name: 'snet-backup'
          properties: {
            addressPrefix: cidrSubnet(addressPrefix, 26, 0)
            networkSecurityGroup: {
              id: appGuard.id
            }
            delegations: [
              {
                name: 'apps'
                properties: {
                  serviceName: 'Microsoft.App/environments'
                }
              }
            ]
          }
        }
        {
          name: 'snet-restore'
          properties: {
            addressPrefix: cidrSubnet(addressPrefix, 26, 1)
            networkSecurityGroup: {
              id: appGuard.id
            }
            delegations: [
              {
                name: 'apps'
                properties: {
                  serviceName: 'Microsoft.App/environments'
                }
              }
            ]
          }
        }
        {
          name: 'snet-keeper'
          properties: {
            addressPrefix: cidrSubnet(addressPrefix, 26, 3)
            networkSecurityGroup: {
              id: appGuard.id
            }
            delegations: [
              {
                name: 'apps'
                properties: {
                  serviceName: 'Microsoft.App/environments'
                }
              }
            ]
          }
        }
        {
          name: 'snet-endpoints'
          properties: {
            addressPrefix: cidrSubnet(addressPrefix, 26, 2)
            networkSecurityGroup: {
              id: appGuard.id
            }
            privateEndpointNetworkPolicies: 'Enabled'
          }
        }
      ],
      pageSubnets
    )
  }

  resource backupSubnet 'subnets' existing = {
    name: 'snet-backup'
  }

  resource restoreSubnet 'subnets' existing = {
    name: 'snet-restore'
  }

  resource keeperSubnet 'subnets' existing = {
    name: 'snet-keeper'
  }

  resource endpointSubnet 'subnets' existing = {
    name: 'snet-endpoints'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in zoneNames: {
    parent: zones[index]
    name: network.name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      // A linked zone answers for all vaults. One whose private endpoint lies elsewhere is not in it: its name is then asked for in
      // public, instead of being unknown (https://learn.microsoft.com/azure/dns/private-dns-fallback). Storage has no such way out.
      resolutionPolicy: contains(vaultZoneNames, zone) ? 'NxDomainRedirect' : 'Default'
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

@description('The subnet of the backup app.')
output backupSubnetId string = network::backupSubnet.id

@description('The subnet of the restore app.')
output restoreSubnetId string = network::restoreSubnet.id

@description('The subnet of the keeper app.')
output keeperSubnetId string = network::keeperSubnet.id

@description('The subnet of the page app; empty when there is none.')
output pageSubnetId string = empty(pagePrefix) ? '' : '${network.id}/subnets/snet-page'

@description('The subnet for private endpoints.')
output endpointSubnetId string = network::endpointSubnet.id

@description('The zone for blobs.')
output blobZoneId string = zones[0].id

@description('The zone for queues.')
output queueZoneId string = zones[1].id

@description('The zone for vaults.')
output vaultZoneId string = zones[2].id

@description('The zone for HSMs.')
output hsmZoneId string = zones[3].id

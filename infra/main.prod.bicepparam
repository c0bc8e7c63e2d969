using 'main.bicep'

// Hardened: a network of its own, Entra ID in front of the functions, locked retention, a restore app.
param environmentName = 'prod'

param vaults = [
  {
    name: 'kv-shop-prod'
    resourceGroup: 'rg-shop-prod'
    subscriptionId: readEnvironmentVariable('KVBACKUP_SHOP_SUBSCRIPTION', '00000000-0000-0000-0000-000000000001')
    geography: 'europe'
  }
  {
    name: 'kv-legacy-prod'
    resourceGroup: 'rg-legacy-prod'
    accessModel: 'accessPolicy'
    geography: 'europe'
  }
]

param hsms = [
  {
    name: 'hsm-payments-prod'
    resourceGroup: 'rg-payments-prod'
    criticalKeys: ['payments-root']
    // It has the same security domain and is there for drills alone: docs/managed-hsm.md.
    drill: { name: 'hsm-payments-drill', rtoMinutes: 240 }
  }
]

param retention = {
  immutabilityDays: 90
  // The first deployment needs Unlocked; scripts/lock-immutability.sh locks, and this line then has to follow.
  immutabilityState: readEnvironmentVariable('KVBACKUP_IMMUTABILITY', 'Unlocked') == 'Locked' ? 'Locked' : 'Unlocked'
  keepWithinDays: 120
  keepMonths: 12
  keepYears: 3
  softDeleteDays: 30
  logDays: 365
}

// Others own it: they deploy second-place.bicep.
param secondPlace = {
  // The output of second-place.bicep.
  containerUrl: readEnvironmentVariable('KVBACKUP_SECOND_CONTAINER', 'https://second.blob.example/backups')
  keepWithinDays: 120
}

// Empty vaults without purge protection, each with the secret keyvault-backup-drill-vault: docs/drills.md.
param drillVaults = [
  {
    name: 'kv-shop-drill'
    resourceGroup: 'rg-shop-prod'
    subscriptionId: readEnvironmentVariable('KVBACKUP_SHOP_SUBSCRIPTION', '00000000-0000-0000-0000-000000000001')
    geography: 'europe'
    sources: [{ name: 'kv-shop-prod', always: ['secret/payments-api'], rtoMinutes: 240, rpoMinutes: 1560 }]
  }
  {
    name: 'kv-legacy-drill'
    resourceGroup: 'rg-legacy-prod'
    accessModel: 'accessPolicy'
    geography: 'europe'
    sources: [{ name: 'kv-legacy-prod' }]
  }
]

param redundancy = 'Standard_GZRS'
param zoneRedundant = true

param alertEmails = [readEnvironmentVariable('KVBACKUP_ALERT_EMAIL', 'vault-owners@example.com')]

param network = {
  addressPrefix: '10.90.0.0/24'
}

param authentication = {
  clientId: readEnvironmentVariable('KVBACKUP_AUTH_CLIENT_ID', '00000000-0000-0000-0000-000000000002')
  allowedApplications: [
    readEnvironmentVariable('KVBACKUP_RUNBOOK_CLIENT_ID', '00000000-0000-0000-0000-000000000003')
  ]
}

// The status page in a browser is one more address that shows names: docs/security.md. Its subnet is outside of the range above.
// param signIn = {
//   clientId: '00000000-0000-0000-0000-000000000004'
//   subnetPrefix: '10.90.1.0/27'
// }

param allowedCallers = ['203.0.113.0/24']

param restore = {
  targetVaults: [
    {
      name: 'kv-shop-standby'
      resourceGroup: 'rg-shop-prod'
      subscriptionId: readEnvironmentVariable('KVBACKUP_SHOP_SUBSCRIPTION', '00000000-0000-0000-0000-000000000001')
      geography: 'europe'
      from: ['kv-shop-prod']
    }
  ]
  approvals: 'all'
}

param tags = {
  application: 'keyvault-backup'
  criticality: 'high'
}

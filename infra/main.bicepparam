using 'main.bicep'

// A small installation: public endpoints without keys, no restore app.
param environmentName = readEnvironmentVariable('KVBACKUP_ENVIRONMENT', 'dev')

param vaults = [
  {
    name: readEnvironmentVariable('KVBACKUP_VAULT', 'kv-example')
    resourceGroup: readEnvironmentVariable('KVBACKUP_VAULT_GROUP', 'rg-example')
  }
]

param retention = {
  immutabilityDays: 14
  // Unlocked can still be changed: right for a trial, not for production.
  immutabilityState: 'Unlocked'
  keepWithinDays: 35
  softDeleteDays: 14
  logDays: 90
}

param redundancy = 'Standard_LRS'

param alertEmails = [readEnvironmentVariable('KVBACKUP_ALERT_EMAIL', 'vault-owners@example.com')]

// The status page in a browser, for people who sign in: docs/install.md, section 7.
// param signIn = {
//   clientId: '00000000-0000-0000-0000-000000000004'
// }

param tags = {
  application: 'keyvault-backup'
}

using 'roles.bicep'

// Separated by commas; empty when all vaults are in the subscription of the deployment.
var ids = readEnvironmentVariable('VAULT_SUBSCRIPTION_IDS', '')

param vaultSubscriptionIds = empty(ids) ? [] : split(ids, ',')

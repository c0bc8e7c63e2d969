using 'second-place.bicep'

// Deployed by the owners of the second place, in their subscription.
param accountName = 'stkvbsecondprod'
param immutabilityDays = 90
param keeperPrincipalId = readEnvironmentVariable('KVBACKUP_KEEPER_ID', '00000000-0000-0000-0000-000000000005')
param workspaceId = readEnvironmentVariable('KVBACKUP_SECOND_WORKSPACE', '/subscriptions/00000000-0000-0000-0000-000000000004/resourceGroups/rg-logs/providers/Microsoft.OperationalInsights/workspaces/log-second')

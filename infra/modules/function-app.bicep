metadata name = 'Function app'
metadata description = 'One app on a Flex Consumption plan of its own. All apps are the same package with other settings and another identity.'

import { identityReference, sharedAppSettings, storageNames } from '../types.bicep'

@description('Required. The name of the app, unique in Azure.')
param name string

@description('Required. The role of this app, which decides what it serves.')
param role 'backup' | 'restore' | 'keeper' | 'page'

@description('Required. The identity that the app runs as.')
param identity identityReference

@description('Optional. An identity whose tokens stand for a client secret. With it people sign in with a browser; without it callers bring a token.')
param signInIdentity identityReference?

@description('Required. The account of the storage of this app.')
param hostAccountName string

@description('Required. The endpoint for blobs of the storage of this app.')
param hostBlobEndpoint string

@description('Required. The endpoint for queues of the storage of this app.')
param hostQueueEndpoint string

@description('Optional. The container of the open jobs, where they are those of another app. Its own when empty.')
param jobsContainerUrl string = ''

@description('Required. Functions of the package that this app does not run.')
param disabledFunctions string[]

@description('Optional. The subnet that the app calls from. The public network when empty.')
param subnetId string = ''

@secure()
@description('Optional. Addresses of webhooks that this app tells what matters.')
param notifyUrls string = ''

@secure()
@description('Optional. The address that this app calls after each clean night.')
param heartbeatUrl string = ''

@description('Required. The settings that are the same for all apps.')
param shared sharedAppSettings

var tuning = shared.tuning
var authenticated = shared.?authentication != null

// The platform takes tokens of the identity that this setting names for a client secret, where the registration names the setting:
// https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad, on a managed identity instead of a secret.
var interactive = signInIdentity != null
var proofSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
var signInSettings = interactive ? { '${proofSetting}': signInIdentity!.clientId } : {}
var attached = concat([identity.resourceId], interactive ? [signInIdentity!.resourceId] : [])

// The addresses are what the platform's own samples use (github.com/Azure-Samples/functions-quickstart-javascript-azd,
// infra/app/api.bicep), and hold in every cloud. The name alone is the way round that the host's maintainers gave for failures with
// addresses (github.com/Azure/azure-functions-host/issues/11787); others report the same failures with it (issues/11636).
var hostStorage = shared.hostStorageBy == 'accountName'
  ? {
      AzureWebJobsStorage__accountName: hostAccountName
    }
  : {
      AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint
      AzureWebJobsStorage__queueServiceUri: hostQueueEndpoint
    }

// An empty setting counts as not set, and would allow every pair.
var allowedPairs = empty(shared.restorePairs) ? 'none' : join(shared.restorePairs, ' ')
var restorePairs = role == 'restore' ? allowedPairs : ''

// One rule for each range; with any rule, all other addresses are refused.
var ipRules = [
  for (callers, index) in shared.allowedCallers: {
    name: 'caller-${index}'
    ipAddress: callers
    action: 'Allow'
    priority: 100 + index
  }
]
var ipDefault = empty(shared.allowedCallers) ? 'Allow' : 'Deny'

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: shared.componentName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${name}'
  location: shared.location
  tags: shared.tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: shared.zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: shared.location
  tags: union(shared.tags, { 'azd-service-name': role })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: toObject(attached, id => id, id => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostBlobEndpoint}${storageNames.deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.resourceId
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: shared.instanceMemoryMB
        maximumInstanceCount: shared.maximumInstances
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ipSecurityRestrictions: ipRules
      ipSecurityRestrictionsDefaultAction: ipDefault
      scmIpSecurityRestrictions: ipRules
      scmIpSecurityRestrictionsDefaultAction: ipDefault
      scmIpSecurityRestrictionsUseMain: false
    }
  }

  // Each write waits for the previous one: two concurrent writes on one app conflict.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
    dependsOn: [ftp]
  }

  // The complete set: a setting that is not listed is removed. An empty value counts as not set.
  resource settings 'config' = {
    name: 'appsettings'
    properties: union(
      {
        AzureWebJobsStorage__credential: 'managedidentity'
        AzureWebJobsStorage__clientId: identity.clientId
        APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
        KEYVAULT_BACKUP_QUEUE__queueServiceUri: hostQueueEndpoint
        KEYVAULT_BACKUP_QUEUE__credential: 'managedidentity'
        KEYVAULT_BACKUP_QUEUE__clientId: identity.clientId
        KEYVAULT_BACKUP_IDENTITY: 'managed'
        KEYVAULT_BACKUP_CLIENT_ID: identity.clientId
        KEYVAULT_BACKUP_ROLE: role
        KEYVAULT_BACKUP_AUTHENTICATION: authenticated ? 'required' : 'keys'
        KEYVAULT_BACKUP_RESTORE_PAIRS: restorePairs
        KEYVAULT_BACKUP_APPROVALS: role == 'restore' ? shared.approvals : ''
        KEYVAULT_BACKUP_APPROVAL_HOURS: role == 'restore' ? string(shared.?approvalHours ?? '') : ''
        KEYVAULT_BACKUP_VAULTS: join(shared.vaultUrls, ' ')
        KEYVAULT_BACKUP_PLACES: join(shared.vaultPlaces, ' ')
        KEYVAULT_BACKUP_CONTAINER: shared.backupContainerUrl
        KEYVAULT_BACKUP_SECOND_CONTAINER: role == 'keeper' ? shared.secondContainerUrl : ''
        KEYVAULT_BACKUP_SECOND_KEEP_WITHIN_DAYS: role == 'keeper' ? string(shared.?secondKeepWithinDays ?? '') : ''
        KEYVAULT_BACKUP_JOBS_CONTAINER: empty(jobsContainerUrl)
          ? '${hostBlobEndpoint}${storageNames.jobsContainer}'
          : jobsContainerUrl
        KEYVAULT_BACKUP_HSMS: join(shared.hsmUrls, ' ')
        KEYVAULT_BACKUP_HSM_CONTAINER: shared.hsmContainerUrl
        KEYVAULT_BACKUP_HSM_KEYS: join(shared.hsmKeys, ' ')
        KEYVAULT_BACKUP_HSM_DOMAINS: join(shared.hsmDomains, ' ')
        KEYVAULT_BACKUP_HSM_BACKUP_AGE_MINUTES: string(tuning.?hsmBackupAgeMinutes ?? '')
        KEYVAULT_BACKUP_HSM_LIMIT_HOURS: string(tuning.?hsmLimitHours ?? '')
        KEYVAULT_BACKUP_INTERVAL_HOURS: string(shared.intervalHours)
        KEYVAULT_BACKUP_FULL_PASS_DAYS: string(tuning.?fullPassDays ?? '')
        KEYVAULT_BACKUP_RETENTION: shared.retentionPolicy
        KEYVAULT_BACKUP_VERIFY_WITHIN_DAYS: string(tuning.?verifyWithinDays ?? '')
        KEYVAULT_BACKUP_DRILL_VAULTS: join(shared.drillVaults, ' ')
        KEYVAULT_BACKUP_DRILL_HSMS: join(shared.drillHsms, ' ')
        KEYVAULT_BACKUP_DRILL_ALWAYS: join(shared.drillAlways, ' ')
        KEYVAULT_BACKUP_DRILL_TARGETS: join(shared.drillTargets, ' ')
        KEYVAULT_BACKUP_DRILL_SAMPLE: string(tuning.?drillSample ?? '')
        KEYVAULT_BACKUP_DRILL_OLDER_EVERY: string(tuning.?drillOlderEvery ?? '')
        KEYVAULT_BACKUP_DRILL_INTERVAL_DAYS: string(tuning.?drillIntervalDays ?? '')
        KEYVAULT_BACKUP_DRILL_HSM_INTERVAL_DAYS: string(tuning.?drillHsmIntervalDays ?? '')
        KEYVAULT_BACKUP_GONE_SHARE: string(tuning.?goneShare ?? '')
        KEYVAULT_BACKUP_VAULT_RATE: string(tuning.?vaultRate ?? '')
        KEYVAULT_BACKUP_RESTORE_SECRETS: string(tuning.?restoreSecrets ?? '')
        KEYVAULT_BACKUP_RESTORE_KEYS: string(tuning.?restoreKeys ?? '')
        KEYVAULT_BACKUP_MOST_OPEN_BACKUPS: string(tuning.?mostOpenBackups ?? '')
        KEYVAULT_BACKUP_MOST_OPEN_RESTORES: string(tuning.?mostOpenRestores ?? '')
        KEYVAULT_BACKUP_REQUEST_TIMEOUT: string(tuning.?requestTimeoutSeconds ?? '')
        KEYVAULT_BACKUP_NOTIFY: notifyUrls
        KEYVAULT_BACKUP_HEARTBEAT: heartbeatUrl
        KEYVAULT_BACKUP_API_VERSION: tuning.?apiVersion ?? ''
        VAULT_BACKUP_SCHEDULE: shared.vaultBackupSchedule
        HSM_BACKUP_SCHEDULE: shared.hsmBackupSchedule
        RETENTION_SCHEDULE: shared.retentionSchedule
        VERIFY_SCHEDULE: shared.verifySchedule
        COPY_SCHEDULE: shared.copySchedule
        DRILL_SCHEDULE: shared.drillSchedule
      },
      hostStorage,
      signInSettings,
      toObject(disabledFunctions, function => 'AzureWebJobs.${function}.Disabled', function => 'true')
    )
    dependsOn: [scm]
  }

  // Off by default. Deployed in both cases, so that removing the parameter turns it off again.
  resource authentication 'config' = {
    name: 'authsettingsV2'
    properties: {
      platform: {
        enabled: authenticated
        runtimeVersion: '~1'
      }
      globalValidation: {
        requireAuthentication: authenticated
        // The same for every path of an app: `excludedPaths` only says which need no sign-in. So the page has an app of its own.
        unauthenticatedClientAction: interactive ? 'RedirectToLoginPage' : 'Return401'
        redirectToProvider: interactive ? 'azureactivedirectory' : null
        excludedPaths: []
      }
      httpSettings: {
        requireHttps: true
      }
      identityProviders: {
        azureActiveDirectory: authenticated
          ? {
              enabled: true
              registration: {
                clientId: shared.authentication!.clientId
                clientSecretSettingName: interactive ? proofSetting : null
                openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
              }
              validation: {
                // Who signs in brings an id token, which names the registration itself.
                allowedAudiences: interactive
                  ? [shared.authentication!.clientId]
                  : [shared.authentication!.clientId, 'api://${shared.authentication!.clientId}']
                defaultAuthorizationPolicy: {
                  allowedApplications: shared.authentication!.allowedApplications
                  allowedPrincipals: empty(shared.?authentication.?allowedIdentities)
                    ? null
                    : {
                        identities: shared.authentication!.allowedIdentities!
                      }
                }
              }
            }
          : {
              enabled: false
            }
      }
      login: {
        // The session is a cookie, and the program needs no token of a person: none is kept.
        tokenStore: {
          enabled: false
        }
        cookieExpiration: interactive
          ? {
              convention: 'FixedTime'
              timeToExpiration: '08:00:00'
            }
          : null
        nonce: interactive
          ? {
              validateNonce: true
              nonceExpirationInterval: '00:05:00'
            }
          : null
      }
    }
    dependsOn: [settings]
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'keyvault-backup'
  scope: app
  properties: {
    workspaceId: shared.workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

@description('The app.')
output resourceId string = app.id

@description('The name of the app.')
output name string = app.name

@description('The host name of the app.')
output hostName string = app.properties.defaultHostName

metadata name = 'Alerts'
metadata description = 'The alerts. docs/operations.md says what each one means and what to do about it.'

import { resourceTags } from '../types.bicep'

@description('Required. Where the rules live.')
param location string

@description('Required. Ends the names.')
param suffix string

@description('Required. Tags of the resources.')
param tags resourceTags

@description('Required. The workspace that is queried.')
param workspaceId string

@description('Required. E-mail addresses that alerts go to. At least one, because an alert without a recipient is useless.')
@minLength(1)
param emails string[]

@description('Required. Names of the vaults that are backed up.')
param vaultNames string[]

@description('Required. Names of the HSMs that are backed up.')
param hsmNames string[]

@description('Required. Hours within which each has to be backed up. Alerts query two days at most.')
@minValue(1)
@maxValue(47)
param intervalHours int

@description('Required. Whether there is an app that applies retention and verifies what is stored.')
param keeper bool

@description('Required. Whether the keeper copies every backup into a second place.')
param secondPlace bool

@description('Required. Object ids of the identities that may back up and restore.')
param knownPrincipalIds string[]

@description('Required. Names of the vaults that have a drill vault.')
param drilledNames string[]

@description('Required. Names of the drill vaults.')
param drillVaultNames string[]

@description('Required. Object id of the identity that restores into drill vaults.')
param drillPrincipalId string

@description('Required. Names of the apps. Each is invoked every minute.')
param appNames string[]

@description('Required. The page that the text of each alert links to.')
param operationsPage string

// The program writes one JSON object a line; the host files each line as a trace.
var events = 'AppTraces | extend line = parse_json(Message) | extend event = tostring(line.event)'

var vaultList = join(map(vaultNames, vault => '"${vault}"'), ', ')
var hsmList = join(map(hsmNames, hsm => '"${hsm}"'), ', ')
var sourceList = join(map(concat(vaultNames, hsmNames), source => '"${source}"'), ', ')
var drilledList = join(map(drilledNames, source => '"${source}"'), ', ')
var drillVaultList = empty(drillVaultNames) ? '""' : join(map(drillVaultNames, vault => '"${vault}"'), ', ')
var appList = join(map(appNames, app => '"${app}"'), ', ')
var knownList = join(map(knownPrincipalIds, id => '"${toLower(id)}"'), ', ')

// A row for each target that has no success in time. A target that was never backed up has a row, too.
func missed(targets string, hours int, success string) string =>
  join(
    [
      'datatable(target:string)[${targets}]'
      '| extend target = tolower(target)'
      '| join kind=leftanti ('
      success
      '| where TimeGenerated > ago(${hours}h)'
      ') on target'
      '| extend TimeGenerated = now()'
    ],
    '\n'
  )

// A row for each app whose host has invoked nothing for ten minutes. Two logs tell of an invocation, and one may be late.
func silent(apps string) string =>
  join(
    [
      'datatable(target:string)[${apps}]'
      '| extend target = tolower(target)'
      '| join kind=leftanti ('
      'union isfuzzy=true'
      '(AppRequests | project TimeGenerated, app = AppRoleName),'
      '(FunctionAppLogs | where Category startswith "Function." | project TimeGenerated, app = AppName)'
      '| where TimeGenerated > ago(10m)'
      '| project target = tolower(app)'
      ') on target'
      '| extend TimeGenerated = now(), why = "no invocation for ten minutes"'
    ],
    '\n'
  )

var vaultSuccess = join(
  [
    events
    '| where event in ("run.closed", "run.round")'
    // An object that fails on its own does not make its vault overdue: `run-not-clean` reports it, once its rounds are over.
    '| extend listed = tostring(line["run.scope"]) == "vault" and tolong(line["run.unlisted"]) == 0'
    '| where tostring(line["run.covers"]) == "true" or (listed and tostring(line["run.verdict"]) in ("Succeeded", "PartiallyFailed"))'
    '| extend target = tolower(tostring(line["vault.name"]))'
  ],
  '\n'
)

var hsmSuccess = join(
  [
    events
    '| where event == "hsm.backup.ended" and tostring(line["hsm.verdict"]) == "Succeeded"'
    '| extend target = tolower(tostring(line["hsm.name"]))'
  ],
  '\n'
)

var retentionSuccess = join(
  [
    events
    '| where event == "retention.applied"'
    '| extend target = tolower(tostring(line["source.name"]))'
  ],
  '\n'
)

var verificationSuccess = join(
  [
    events
    '| where event == "verification.ended"'
    '| extend target = tolower(tostring(line["source.name"]))'
    // The single keys of an HSM are a vault in the log, of the HSM's name: a pass over them says nothing of its folders.
    '| where tostring(line["source.kind"]) != "vault" or target !in~ (${empty(hsmNames) ? '""' : hsmList})'
  ],
  '\n'
)

var copySuccess = join(
  [
    events
    '| where event == "copies.ended" and tolong(line["copies.missing"]) == 0'
    '| extend target = tolower(tostring(line["source.name"]))'
  ],
  '\n'
)

var evidenceSuccess = join(
  [
    events
    '| where event == "evidence.recorded"'
    '| extend target = "evidence"'
  ],
  '\n'
)

var secondSuccess = join(
  [
    events
    '| where event == "second.reached"'
    '| extend target = tolower(tostring(line["source.name"]))'
    // Likewise: the single keys of an HSM that are there say nothing of the copies of its backups.
    '| where tostring(line["source.kind"]) != "vault" or target !in~ (${empty(hsmNames) ? '""' : hsmList})'
  ],
  '\n'
)

var drillSuccess = join(
  [
    events
    '| where event == "drill.recent"'
    '| extend target = tolower(tostring(line["source.name"]))'
  ],
  '\n'
)

var missedVault = empty(vaultNames)
  ? []
  : [
      {
        name: 'vault-not-backed-up'
        title: 'A vault has no backup in time'
        description: 'No run covered this vault within ${intervalHours} hours: listed all of it and backed up what it could.'
        severity: 1
        query: missed(vaultList, intervalHours, vaultSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

var missedHsm = empty(hsmNames)
  ? []
  : [
      {
        name: 'hsm-not-backed-up'
        title: 'An HSM has no successful backup in time'
        description: 'No full backup of this HSM succeeded within ${intervalHours} hours.'
        severity: 1
        query: missed(hsmList, intervalHours, hsmSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

// Written for each source by each pass. A pass that only fails writes none.
var missedRetention = !keeper
  ? []
  : [
      {
        name: 'retention-not-applied'
        title: 'Retention is not applied'
        description: 'No pass has applied retention to this vault or HSM for two days. Nothing is deleted meanwhile.'
        severity: 3
        query: missed(sourceList, 48, retentionSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

// Written for each source by each pass. A pass that stops, or finds no backup to verify, writes none.
var missedVerification = !keeper
  ? []
  : [
      {
        name: 'not-verified'
        title: 'Backups are not verified'
        description: 'No pass has verified the backups of this vault or HSM for two days. What is damaged or missing is not found meanwhile.'
        severity: 2
        query: missed(sourceList, 48, verificationSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

// Written for each HSM by each pass that leaves every kept backup with a whole copy.
var missedCopy = !keeper || empty(hsmNames)
  ? []
  : [
      {
        name: 'hsm-not-copied'
        title: 'Backups of an HSM have no write-once copy'
        description: 'For two days no pass has left every kept backup of this HSM with a whole copy. What lies in the landing account alone can be deleted there.'
        severity: 2
        query: missed(hsmList, 48, copySuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

// Written for each source by each pass that reaches the second place and does not find it late.
var missedCopies = !keeper || !secondPlace
  ? []
  : [
      {
        name: 'second-place-late'
        title: 'The second place is behind'
        description: 'For two days no pass has found that the second place has the newest backups of this source. If the first account is lost, so are they.'
        severity: 2
        query: missed(sourceList, 48, secondSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

// Written for each vault that has a drill vault by each pass that verifies, unless its newest drill is too old.
var drills = !keeper || empty(drilledNames)
  ? []
  : [
      {
        name: 'drill-overdue'
        title: 'A vault was not drilled in time'
        description: 'For two days no pass has found that a drill of this vault took place in time. Whether its backups restore, and how fast, was not rehearsed.'
        severity: 2
        query: missed(drilledList, 48, drillSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
      {
        name: 'drill-failed'
        title: 'A drill failed'
        description: 'A sample of this vault could not be restored as it was, a target was missed, or something is left in the drill vault.'
        severity: 2
        query: join(
          [
            events
            '| where event == "drill.failed"'
            '| extend target = tostring(line["source.name"])'
            '| extend run = tostring(line["drill.id"])'
          ],
          '\n'
        )
        dimensions: ['target', 'run']
        frequency: 'PT15M'
        window: 'PT15M'
        resolves: false
      }
    ]

// Written once a day. A day without a record stays a gap.
var missedEvidence = !keeper
  ? []
  : [
      {
        name: 'evidence-not-recorded'
        title: 'The evidence of a day is not recorded'
        description: 'The keeper has made no daily record of evidence for two days. A day without one stays a gap in every report.'
        severity: 3
        query: missed('"evidence"', 48, evidenceSuccess)
        dimensions: ['target']
        frequency: 'PT1H'
        window: 'P2D'
        resolves: true
      }
    ]

var damaged = !keeper
  ? []
  : [
      {
        name: 'backup-damaged'
        title: 'A backup is damaged, missing or was written again'
        description: 'Verification found that what is stored is not what was stored.'
        severity: 1
        query: join(
          [
            events
            // Each night for the newest backup of an object, once for an older one.
            '| where event == "backup.damaged"'
            '| extend target = tostring(line["source.name"])'
            '| extend run = tostring(line["run.id"])'
          ],
          '\n'
        )
        dimensions: ['target', 'run']
        frequency: 'PT15M'
        window: 'PT15M'
        resolves: false
      }
    ]

var rules = concat(missedVault, missedHsm, missedRetention, missedVerification, missedCopy, missedCopies, drills, missedEvidence, damaged, [
  {
    name: 'run-not-clean'
    title: 'A backup or restore failed, wholly or in part'
    description: 'A run, an HSM backup or a restore ended otherwise than Succeeded, and not only for what a person accepted.'
    severity: 2
    query: join(
      [
        events
        '| where event in ("run.closed", "hsm.backup.ended", "restore.ended")'
        '| extend verdict = coalesce(tostring(line["run.verdict"]), tostring(line["hsm.verdict"]), tostring(line["restore.verdict"]))'
        // A run says whether a person has accepted everything that kept it from succeeding. Without that it is not clean.
        '| where verdict != "Succeeded" and tostring(line["run.clean"]) != "true"'
        '| extend target = coalesce(tostring(line["vault.name"]), tostring(line["hsm.name"]))'
        '| extend run = coalesce(tostring(line["run.id"]), tostring(line["restore.id"]))'
      ],
      '\n'
    )
    dimensions: ['target', 'run']
    frequency: 'PT15M'
    window: 'PT15M'
    resolves: false
  }
  {
    name: 'many-objects-gone'
    title: 'Much of a vault is gone'
    description: 'A run found that everything, or a large part, of a vault or of one kind of object in it is gone, or that the vault was made anew.'
    severity: 1
    query: join(
      [
        events
        // Once for each loss. Until its objects are back or it is acknowledged, no run of the vault is clean: `run-not-clean` keeps
        // firing.
        '| where event == "loss.found"'
        '| extend target = tostring(line["vault.name"])'
        '| extend run = tostring(line["run.id"])'
      ],
      '\n'
    )
    dimensions: ['target', 'run']
    frequency: 'PT15M'
    window: 'PT15M'
    resolves: false
  }
  {
    name: 'backup-form-unknown'
    title: 'Backups have a form that is not known'
    description: 'They are stored as the service handed them out. Only the service can tell whether they are whole.'
    severity: 2
    query: join(
      [
        events
        // Once for each run of a vault in which the newest backup of an object has such a form.
        '| where event == "form.unknown"'
        '| extend target = tostring(line["vault.name"])'
        '| extend run = tostring(line["run.id"])'
      ],
      '\n'
    )
    dimensions: ['target', 'run']
    frequency: 'PT15M'
    window: 'PT15M'
    resolves: false
  }
  {
    name: 'job-overdue'
    title: 'A job of an HSM runs for longer than it should'
    description: 'A job that has not ended is older than its limit.'
    severity: 2
    query: join(
      [
        events
        '| where event == "job.overdue"'
        '| extend target = tostring(line["hsm.name"])'
        '| extend run = tostring(line["job.id"])'
      ],
      '\n'
    )
    dimensions: ['target', 'run']
    frequency: 'PT30M'
    window: 'PT30M'
    resolves: true
  }
  {
    name: 'app-not-starting'
    title: 'The program does not start'
    description: 'Settings are wrong or missing, the package does not run, or the host has invoked no function for ten minutes. Nothing is backed up.'
    severity: 1
    query: join(
      [
        'union isfuzzy=true'
        '('
        events
        '| where event == "start.failed"'
        '| project TimeGenerated, target = tolower(AppRoleName), why = "it refuses its settings"'
        '), ('
        // The host logs it with its exception: https://github.com/Azure/azure-functions-host, WorkerProcess.cs.
        'union isfuzzy=true'
        '(AppTraces | project TimeGenerated, app = AppRoleName, text = Message),'
        '(AppExceptions | project TimeGenerated, app = AppRoleName, text = tostring(Properties)),'
        '(FunctionAppLogs | project TimeGenerated, app = AppName, text = Message)'
        '| where text has "Failed to start Worker Channel"'
        '| project TimeGenerated, target = tolower(app), why = "its package does not run"'
        '), ('
        silent(appList)
        ')'
      ],
      '\n'
    )
    dimensions: ['target', 'why']
    frequency: 'PT5M'
    window: 'PT15M'
    resolves: true
  }
  {
    name: 'poison-message'
    title: 'A message could not be handled'
    description: 'The host gave up on a message and moved it to a poison queue.'
    severity: 2
    // The text is the host's own; the program does not see the last failure of a message.
    query: join(
      [
        'AppTraces'
        '| where Message has "MaxDequeueCount" and Message has "poison"'
        '| extend target = AppRoleName'
      ],
      '\n'
    )
    dimensions: ['target']
    frequency: 'PT15M'
    window: 'PT15M'
    resolves: false
  }
  {
    name: 'unknown-caller'
    title: 'An unknown caller backed up or restored'
    description: 'A backup is as good as a copy of the key. The caller is none of the identities of this installation.'
    severity: 1
    // The column that holds the caller depends on the kind of token.
    query: join(
      [
        'AzureDiagnostics'
        '| where ResourceProvider == "MICROSOFT.KEYVAULT"'
        '| where OperationName contains "Backup" or OperationName contains "Restore"'
        // Every client sends its first request without a token to learn where tokens come from.
        '| where column_ifexists("httpStatusCode_d", real(0)) != 401'
        '| extend caller = coalesce('
        '    tostring(column_ifexists("identity_claim_oid_g", "")),'
        '    tostring(column_ifexists("identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g", "")))'
        '| where tolower(caller) !in (${knownList})'
        // A drill restores, and nowhere else.
        '| where tolower(caller) != "${toLower(drillPrincipalId)}" or Resource !in~ (${drillVaultList})'
        '| extend target = Resource'
      ],
      '\n'
    )
    dimensions: ['target', 'caller']
    frequency: 'PT5M'
    // This log arrives minutes late, and what is seen by several looks is told once.
    window: 'PT1H'
    resolves: true
  }
  {
    name: 'throttled'
    title: 'A vault or HSM throttles'
    description: 'More than a hundred calls in an hour were answered with 429. Other users of the vault are throttled, too.'
    severity: 3
    query: join(
      [
        'AzureDiagnostics'
        '| where ResourceProvider == "MICROSOFT.KEYVAULT"'
        '| where column_ifexists("httpStatusCode_d", real(0)) == 429'
        '| summarize throttled = count() by target = Resource'
        '| where throttled > 100'
      ],
      '\n'
    )
    dimensions: ['target']
    frequency: 'PT1H'
    window: 'PT1H'
    resolves: true
  }
  {
    name: 'storage-refused'
    title: 'The storage refuses a caller again and again'
    description: 'More than twenty calls in an hour were answered with 403.'
    severity: 2
    query: join(
      [
        'union isfuzzy=true StorageBlobLogs, StorageQueueLogs'
        '| where StatusCode == "403"'
        '| summarize refused = count() by target = AccountName'
        '| where refused > 20'
      ],
      '\n'
    )
    dimensions: ['target']
    frequency: 'PT1H'
    window: 'PT1H'
    resolves: false
  }
])

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-kvbackup-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'kvbackup'
    enabled: true
    emailReceivers: [
      for (email, index) in emails: {
        name: 'receiver-${index}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: '${rule.description} What to do: ${operationsPage}#${rule.name}'
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(rule.dimensions, name => { name: name, operator: 'Include', values: ['*'] })
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: rule.resolves
      // A new workspace has none of the tables yet.
      skipQueryValidation: true
      actions: {
        actionGroups: [group.id]
      }
    }
  }
]

@description('The group that gets the alerts.')
output actionGroupId string = group.id

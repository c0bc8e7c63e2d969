<#
.SYNOPSIS
Restores backups into a vault: plans, shows the plan, asks, carries it out, follows it to its end.

.DESCRIPTION
For PowerShell 7, at a terminal, in a pipeline or as a runbook of Azure Automation. There nobody can be asked: run it
with -WhatIfOnly, read the plan, then run it with -Plan and the plan's digest, or with -Yes.

Exit code: 0 everything is restored, 1 part of it, 2 nothing is, or nobody can say. In Azure Automation, which has no
exit codes, everything but 0 fails the job.

.EXAMPLE
./restore.ps1 -Url https://my-backup.azurewebsites.net -Source kv-prod -Secret db-password -OnConflict purgeDeleted

.EXAMPLE
./restore.ps1 -Url https://my-backup.azurewebsites.net -Source kv-prod -Target kv-standby -Everything -Yes
#>
#Requires -Version 7.2
[CmdletBinding()]
param(
    # The function app.
    [string] $Url = $env:KEYVAULT_BACKUP_URL,
    # The key of the function Restores. In Azure Automation leave it out: it is the encrypted variable KeyVaultBackupRestoresKey.
    [string] $FunctionKey = $env:KEYVAULT_BACKUP_KEY,
    # Where the app also has authentication switched on: its application id URI, for a token of the managed identity.
    [string] $Audience,
    # The vault whose backups are restored.
    [string] $Source,
    # The vault that they are restored into; the same one when it is left out.
    [string] $Target,
    # These objects.
    [string[]] $Secret = @(),
    [string[]] $Key = @(),
    [string[]] $Certificate = @(),
    # Only these kinds.
    [ValidateSet('secret', 'key', 'certificate')] [string[]] $Kind = @(),
    # Only names that match; * stands for any characters.
    [string] $Name,
    # The whole vault.
    [switch] $Everything,
    # Also objects that were gone from the vault by then.
    [switch] $Gone,
    # As the backups were then, such as 2026-11-22T10:00:00Z.
    [string] $At,
    # What happens to names that are taken.
    [ValidateSet('fail', 'skip', 'recoverDeleted', 'purgeDeleted')] [string] $OnConflict = 'fail',
    # Show the plan and its digest, and stop.
    [switch] $WhatIfOnly,
    # Carry out this plan, which somebody has read and approved.
    [string] $Plan,
    # Do not ask.
    [switch] $Yes,
    # The Idempotency-Key: a second run with the same one follows the first one's restore.
    [string] $Repeat = "runbook-$([guid]::NewGuid())"
)

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$Tries = 5
$LookAgain = 30
$InAutomation = [bool] (Get-Command -Name Get-AutomationVariable -ErrorAction Ignore)

function Stop-Runbook([int] $Code, [string] $Why) {
    if ($InAutomation -and $Code -ne 0) { throw "$Why (exit code $Code)" }
    if ($Why) { [Console]::Error.WriteLine($Why) }
    exit $Code
}

function Get-Headers {
    $headers = @{ 'x-functions-key' = $FunctionKey }
    if ($Audience) {
        $uri = "$($env:IDENTITY_ENDPOINT)?api-version=2019-08-01&resource=$([uri]::EscapeDataString($Audience))"
        $token = Invoke-RestMethod -Uri $uri -Headers @{ 'X-IDENTITY-HEADER' = $env:IDENTITY_HEADER }
        $headers['Authorization'] = "Bearer $($token.access_token)"
    }
    $headers
}

# What the app answered. Calls again when there was no answer, or one that says "later": what is posted is safe to repeat.
function Invoke-App([string] $Method, [string] $Path, $Body, [hashtable] $More = @{}) {
    $call = @{
        Method = $Method; Uri = $Url.TrimEnd('/') + $Path; Headers = (Get-Headers) + $More; TimeoutSec = 300
        SkipHttpErrorCheck = $true; StatusCodeVariable = 'status'; ResponseHeadersVariable = 'answered'
    }
    if ($null -ne $Body) {
        $call.Body = ConvertTo-Json -InputObject $Body -Depth 8 -Compress
        $call.ContentType = 'application/json'
    }
    for ($try = 1; ; $try++) {
        $status = 0
        $answered = @{}
        try { $body = Invoke-RestMethod @call } catch { $body = $_.Exception.Message }
        $body = Read-Answer $body
        $problem = $body -isnot [string] -and $null -ne $body -and $null -ne $body.PSObject.Properties['detail']
        $later = $status -in 0, 429, 503 -or ($status -ge 500 -and -not $problem)
        $wait = if ($answered['Retry-After']) { [int] @($answered['Retry-After'])[0] } else { $null }
        if (-not $later -or $try -ge $Tries) {
            return [pscustomobject] @{ Status = $status; Body = $body; Problem = $problem; Wait = $wait }
        }
        Write-Warning "No answer from $Url (HTTP $status); trying again."
        Start-Sleep -Seconds ($wait ?? 10)
    }
}

# A problem may come as text: its media type is not one that PowerShell reads as JSON.
function Read-Answer($Body) {
    if ($Body -isnot [string]) { return $Body }
    try { ConvertFrom-Json -InputObject $Body -DateKind String } catch { $Body }
}

function Show-Problem($Answer) {
    if (-not $Answer.Problem) { return "HTTP $($Answer.Status): $($Answer.Body)" }
    $of = $Answer.Body
    $service = if ($of.PSObject.Properties['service']) { " The service: $($of.service.code), HTTP $($of.service.status)." }
    "$($of.title) (HTTP $($of.status)): $($of.detail) Next: $($of.next)$service"
}

function Show-Plan($Of) {
    $Of.steps | Select-Object -First 50 kind, name, action, run, versions,
        @{ Name = 'age'; Expression = { '{0:0.0} h' -f ($_.ageSeconds / 3600) } } | Format-Table | Out-String
    if ($Of.steps.Count -gt 50) { "… and $($Of.steps.Count - 50) more" }
    foreach ($left in $Of.left) {
        $how = if ($left.skipped) { 'skipped' } else { 'IN THE WAY' }
        "$($how): $($left.kind) $($left.name): $($left.why)"
    }
    "$($Of.source) into $($Of.target): $($Of.steps.Count) to restore, $($Of.purges) of them purged for good first, $($Of.inTheWay) in the way"
    "digest $($Of.digest)"
}

function New-Request {
    $request = @{ source = $Source; onConflict = $OnConflict }
    $objects = @(
        $Secret | ForEach-Object { @{ kind = 'secret'; name = $_ } }
        $Key | ForEach-Object { @{ kind = 'key'; name = $_ } }
        $Certificate | ForEach-Object { @{ kind = 'certificate'; name = $_ } }
    )
    if ($objects) { $request.objects = $objects }
    if ($Kind) { $request.kinds = @($Kind) }
    if ($Target) { $request.target = $Target }
    if ($Name) { $request.name = $Name }
    if ($At) { $request.at = $At }
    if ($Everything) { $request.everything = $true }
    if ($Gone) { $request.gone = $true }
    $request
}

if (-not $FunctionKey -and $InAutomation) { $FunctionKey = Get-AutomationVariable -Name KeyVaultBackupRestoresKey }
if (-not $Url -or -not $FunctionKey) { Stop-Runbook 2 'Say -Url, and the function key.' }

if (-not $Plan) {
    $planned = Invoke-App POST '/api/restores/plan' (New-Request)
    if ($planned.Status -ne 200) { Stop-Runbook 2 (Show-Problem $planned) }
    Show-Plan $planned.Body
    $Plan = $planned.Body.digest
    if ($WhatIfOnly) { Stop-Runbook ($planned.Body.inTheWay -eq 0 ? 0 : $planned.Body.steps.Count -gt 0 ? 1 : 2) }
    if (-not $Yes) {
        if ($InAutomation -or [Console]::IsInputRedirected) {
            Stop-Runbook 2 "Nothing was restored: nobody can be asked. Read the plan, then say -Yes or -Plan $Plan."
        }
        if ((Read-Host 'Restore? [y/N]') -notmatch '^[yY]') { Stop-Runbook 2 'Nothing was restored.' }
    }
}

$begun = Invoke-App POST '/api/restores' @{ plan = $Plan } @{ 'Idempotency-Key' = $Repeat }
if ($begun.Status -notin 200, 202) {
    if ($begun.Problem -and $begun.Body.PSObject.Properties['plan']) { Show-Plan $begun.Body.plan }
    Stop-Runbook 2 (Show-Problem $begun)
}
$restore = $begun.Body
$path = "/api/restores/$($restore.id)"
"Restore $($restore.id)"
$wait = $begun.Wait
while ($restore.state -eq 'Running') {
    "$($restore.numbers.restored) restored, $($restore.numbers.failed) failed, $($restore.numbers.pending) to go"
    Start-Sleep -Seconds ($wait ?? $LookAgain)
    $look = Invoke-App GET "${path}?limit=1" $null
    if ($look.Status -ne 200) {
        Stop-Runbook 2 "$(Show-Problem $look) It is not known how the restore ended; it goes on without this runbook: GET $path"
    }
    $restore = $look.Body
}
$numbers = $restore.numbers
"$($restore.state): $($numbers.planned) planned = $($numbers.restored) restored + $($numbers.skipped) skipped + $($numbers.failed) failed"

$next = if ($restore.state -eq 'Succeeded') { $null } else { '' }
while ($null -ne $next) {
    $look = Invoke-App GET "${path}?limit=1000$next" $null
    if ($look.Status -ne 200) { Write-Warning (Show-Problem $look); break }
    foreach ($object in $look.Body.objects | Where-Object outcome -In 'failed', 'differs') {
        $why = if ($object.PSObject.Properties['failure']) { ": $($object.failure.code): $($object.failure.text)" }
        "$($object.kind) $($object.name): $($object.outcome)$why"
    }
    foreach ($left in $look.Body.left | Where-Object skipped -EQ $false) {
        "$($left.kind) $($left.name): in the way: $($left.why)"
    }
    $more = $look.Body.PSObject.Properties['continue']
    $next = if ($more) { "&continue=$([uri]::EscapeDataString($more.Value))" }
}
switch ($restore.state) {
    'Succeeded' { Stop-Runbook 0 }
    'PartiallyFailed' { Stop-Runbook 1 'Part of it was not restored.' }
    default { Stop-Runbook 2 'Nothing was restored.' }
}

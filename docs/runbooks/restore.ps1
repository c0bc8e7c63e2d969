<#
.SYNOPSIS
Restores backups into a vault: plans, shows the plan, asks, carries it out, follows it to its end.

.DESCRIPTION
For PowerShell 7, at a terminal, in a pipeline or as a runbook of Azure Automation. It cannot ask there: run it
with -WhatIfOnly, read the plan, then run it with -Plan and the plan's digest, or with -Yes.

Exit code: 0 everything is restored, or was there already as its backup has it; 1 part of it; 2 nothing is, or the result
is not known. With -WhatIfOnly: how the plan ends if each of its steps succeeds. In Azure Automation, which has no exit codes,
everything but 0 fails the job.

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
    # These objects: several with commas between them, or a JSON list.
    [string[]] $Secret = @(),
    [string[]] $Key = @(),
    [string[]] $Certificate = @(),
    # Only these kinds: secret, key, certificate.
    [string[]] $Kind = @(),
    # Only names that match; * stands for any characters.
    [string] $Name,
    # The whole vault.
    [switch] $Everything,
    # Also objects that were gone from the vault by then.
    [switch] $Gone,
    # Also what was taken in another place, by the settings; the vault decides.
    [switch] $OtherPlace,
    # As the backups were then, such as 2026-11-22T10:00:00Z.
    [string] $At,
    # What happens to names that are taken.
    [ValidateSet('fail', 'skip', 'recoverDeleted', 'purgeDeleted')] [string] $OnConflict = 'fail',
    # Show the plan and its digest, and stop.
    [switch] $WhatIfOnly,
    # Carry out this plan, which a person has read and approved.
    [string] $Plan,
    # Do not ask.
    [switch] $Yes,
    # The Idempotency-Key: a second run with the same one follows the first one's restore.
    [string] $Repeat = "runbook-$([guid]::NewGuid())",
    # Seconds between two polls, and between two tries, instead of what the app says.
    [double] $Poll
)

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$Tries = 5
$LookAgain = 30
$Bound = $PSBoundParameters
# Without what may stand before and after the host in an address.
$AppHost = $Url -replace '^\w+://', '' -replace '[/?#].*$', '' -replace '^.*@', ''
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

# The names in a list parameter: pwsh -File hands a,b over as one string, Azure Automation a JSON list, with its quotes or
# without. A list that was given and names nothing is refused: it must not mean everything.
function Split-List([string] $Parameter, [string[]] $Given) {
    if (-not $Bound.ContainsKey($Parameter)) { return }
    $list = ($Given -join ',').Trim()
    if ($list -match '(?s)\A\[(.*)\]\z') { $list = $Matches[1] }
    foreach ($part in $list.Split(',')) {
        $one = $part.Trim()
        if ($one -match '(?s)\A(["''])(.*)\1\z') { $one = $Matches[2] }
        if ($one -cnotmatch '\A[0-9a-zA-Z-]{1,127}\z') {
            Stop-Runbook 2 "-$($Parameter): `"$one`" cannot be a name: a name has 1 to 127 letters, digits and hyphens, and several have commas between them."
        }
        $one
    }
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
        try { $body = Invoke-RestMethod @call } catch { $status = 0; $body = $_.Exception.Message }
        $body = Read-Answer $body
        $problem = $body -isnot [string] -and $null -ne $body -and $null -ne $body.PSObject.Properties['detail']
        $later = $status -in 0, 429, 503 -or ($status -ge 500 -and -not $problem)
        $asked = "$(@($answered['Retry-After'])[0])"
        $wait = if ($asked -match '\A\d+\z') { [int] $asked } else { $null }
        $answer = [pscustomobject] @{ Status = $status; Body = $body; Problem = $problem; Later = $later; Wait = $wait }
        if (-not $later -or $try -ge $Tries) { return $answer }
        Write-Warning "$(Show-Status $answer); trying again."
        Wait-Awhile ($wait ?? 10)
    }
}

# As long as the app says, unless the caller says otherwise.
function Wait-Awhile([double] $Seconds) {
    Start-Sleep -Seconds ($Poll -gt 0 ? $Poll : $Seconds)
}

# A problem may come as text: its media type is not one that PowerShell reads as JSON.
function Read-Answer($Body) {
    if ($Body -isnot [string]) { return $Body }
    try { ConvertFrom-Json -InputObject $Body } catch { $Body }
}

# What came of a call, for people. 0 is no status of HTTP: there was no answer, or not a whole one.
function Show-Status($Answer) {
    if ($Answer.Status -eq 0) { return "No answer from ${AppHost}: $($Answer.Body)" }
    "$AppHost answers HTTP $($Answer.Status)"
}

function Show-Problem($Answer) {
    if ($Answer.Status -eq 0) {
        return "$(Show-Status $Answer) Next: check that -Url is the address of the app, that the app runs, and that this machine reaches it: its name, a proxy, a firewall, a private endpoint."
    }
    if (-not $Answer.Problem -and $Answer.Status -in 401, 403) {
        return "HTTP $($Answer.Status): the key or the token does not open this function."
    }
    if (-not $Answer.Problem) { return "HTTP $($Answer.Status): $($Answer.Body)" }
    $of = $Answer.Body
    $service = if ($of.PSObject.Properties['service']) { " The service: $($of.service.code), HTTP $($of.service.status)." }
    "$($of.title) (HTTP $($of.status)): $($of.detail) Next: $($of.next)$service"
}

# Every object, its action first, its whole name on that line: its reader may be about to have it destroyed. No
# table: a console cuts it to its width. What is purged stands last, next to the question.
function Show-Plan($Of) {
    foreach ($step in $Of.steps | Where-Object action -NE 'purgeAndRestore') { Show-Step $step }
    foreach ($left in $Of.left) {
        $how = if ($left.reason -eq 'never-backed-up') { 'NEVER BACKED UP' } elseif ($left.skipped) { 'skip' } else { 'IN THE WAY' }
        "$($how): $($left.kind) $($left.name)"
        "    because: $($left.why)"
    }
    foreach ($step in $Of.steps | Where-Object action -EQ 'purgeAndRestore') { Show-Step $step }
    $purged = if ($Of.purges -gt 0) { ", $($Of.purges) of them purged for good first" }
    $skipped = @($Of.left | Where-Object { $_.skipped -and $_.reason -ne 'never-backed-up' }).Count
    $there = if ($Of.alreadyThere -gt 0) { " ($($Of.alreadyThere) there already)" }
    $never = if ($Of.neverBackedUp -gt 0) { ", $($Of.neverBackedUp) never backed up" }
    "$($Of.source) into $($Of.target): $($Of.steps.Count) to restore$purged, $skipped skipped$there, $($Of.inTheWay) in the way$never"
    "digest $($Of.digest)"
}

function Show-Step($Step) {
    $words = switch ($Step.action) {
        'purgeAndRestore' { 'PURGE for good, then restore' }
        'recover' { 'recover as deleted, not from the backup' }
        default { $Step.action }
    }
    "$($words): $($Step.kind) $($Step.name)"
    "    from: $($Step.run), age: $(Show-Age $Step.ageSeconds), versions: $($Step.versions)"
}

function Show-Age([long] $Seconds) {
    if ($Seconds -ge 172800) { return "$([math]::Floor($Seconds / 86400)) days" }
    if ($Seconds -ge 7200) { return "$([math]::Floor($Seconds / 3600)) hours" }
    "$([math]::Floor($Seconds / 60)) minutes"
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
    if ($OtherPlace) { $request.otherPlace = $true }
    $request
}

if (-not $FunctionKey -and $InAutomation) { $FunctionKey = Get-AutomationVariable -Name KeyVaultBackupRestoresKey }
if (-not $Url -or -not $FunctionKey) { Stop-Runbook 2 'Say -Url, and the function key.' }
$Secret = @(Split-List 'Secret' $Secret)
$Key = @(Split-List 'Key' $Key)
$Certificate = @(Split-List 'Certificate' $Certificate)
$Kind = @(Split-List 'Kind' $Kind)
foreach ($one in $Kind) {
    if ($one -notin 'secret', 'key', 'certificate') { Stop-Runbook 2 "-Kind: `"$one`" is no kind: say secret, key or certificate." }
}

if (-not $Plan) {
    $planned = Invoke-App POST '/api/restores/plan' (New-Request)
    if ($planned.Status -ne 200) { Stop-Runbook 2 (Show-Problem $planned) }
    Show-Plan $planned.Body
    $Plan = $planned.Body.digest
    if ($WhatIfOnly) { Stop-Runbook (@{ Succeeded = 0; PartiallyFailed = 1; Failed = 2 }[$planned.Body.foreseen]) }
    if (-not $Yes) {
        if ($InAutomation -or [Console]::IsInputRedirected) {
            Stop-Runbook 2 "Nothing was restored: there is no terminal to ask on. Read the plan, then say -Yes or -Plan $Plan."
        }
        if ((Read-Host 'Restore? [y/N]') -notmatch '^[yY]') { Stop-Runbook 2 'Nothing was restored.' }
    }
}

$begun = Invoke-App POST '/api/restores' @{ plan = $Plan } @{ 'Idempotency-Key' = $Repeat }
if ($begun.Status -notin 200, 202) {
    if ($begun.Problem -and $begun.Body.PSObject.Properties['plan']) { Show-Plan $begun.Body.plan }
    $unknown = if ($begun.Later) { " It is not known whether the restore began. This finds it, or begins it once: restore.ps1 -Plan $Plan -Repeat $Repeat" }
    Stop-Runbook 2 "$(Show-Problem $begun)$unknown"
}
$restore = $begun.Body
$path = "/api/restores/$($restore.id)"
"Restore $($restore.id)"
$wait = $begun.Wait
while ($restore.state -eq 'Running') {
    "$($restore.numbers.restored) restored, $($restore.numbers.failed) failed, $($restore.numbers.pending) to go"
    Wait-Awhile ($wait ?? $LookAgain)
    $look = Invoke-App GET "${path}?limit=1" $null
    if ($look.Status -ne 200) {
        Stop-Runbook 2 "$(Show-Problem $look) It is not known how the restore ended; it continues without this runbook: GET $path"
    }
    $restore = $look.Body
}
$numbers = $restore.numbers
"$($restore.state): $($numbers.planned) planned = $($numbers.restored) restored + $($numbers.skipped) skipped + $($numbers.failed) failed + $($numbers.neverBackedUp) never backed up"

$next = if ($restore.state -eq 'Succeeded') { $null } else { '' }
while ($null -ne $next) {
    $look = Invoke-App GET "${path}?limit=1000$next" $null
    if ($look.Status -ne 200) { Write-Warning (Show-Problem $look); break }
    foreach ($object in $look.Body.objects | Where-Object outcome -In 'failed', 'differs') {
        $why = ''
        if ($object.PSObject.Properties['failure']) { $why = ": $($object.failure.code): $($object.failure.text)" }
        if ($object.PSObject.Properties['difference']) { $why = ": $($object.difference)" }
        "$($object.kind) $($object.name): $($object.outcome)$why"
    }
    foreach ($left in $look.Body.left | Where-Object reason -NE 'already-there') {
        $how = if ($left.skipped) { $left.reason } else { 'in the way' }
        "$($left.kind) $($left.name): $($how): $($left.why)"
    }
    $more = $look.Body.PSObject.Properties['continue']
    $next = if ($more) { "&continue=$([uri]::EscapeDataString($more.Value))" }
}
switch ($restore.state) {
    'Succeeded' { Stop-Runbook 0 }
    'PartiallyFailed' { Stop-Runbook 1 'Part of it was not restored.' }
    default { Stop-Runbook 2 'Nothing was restored.' }
}

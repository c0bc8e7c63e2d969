<#
.SYNOPSIS
Backs a vault or some of its objects up now, and follows the run to its end.

.DESCRIPTION
For PowerShell 7, at a terminal, in a pipeline or as a runbook of Azure Automation.

Exit code: 0 everything is backed up or rightly skipped, 1 part of it, 2 nothing is, or the result is not known. In Azure
Automation, which has no exit codes, everything but 0 fails the job.

.EXAMPLE
./backup.ps1 -Url https://my-backup.azurewebsites.net -Vault kv-prod -Secret db-password
#>
#Requires -Version 7.2
[CmdletBinding()]
param(
    # The function app.
    [string] $Url = $env:KEYVAULT_BACKUP_URL,
    # The key of the function Backups. In Azure Automation leave it out: it is the encrypted variable KeyVaultBackupBackupsKey.
    [string] $FunctionKey = $env:KEYVAULT_BACKUP_KEY,
    # Where the app also has authentication switched on: its application id URI, for a token of the managed identity.
    [string] $Audience,
    # The vault.
    [Parameter(Mandatory)] [string] $Vault,
    # These objects, several with commas between them, or a JSON list; without any, the whole vault, as in the night.
    [string[]] $Secret = @(),
    [string[]] $Key = @(),
    [string[]] $Certificate = @(),
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

if (-not $FunctionKey -and $InAutomation) { $FunctionKey = Get-AutomationVariable -Name KeyVaultBackupBackupsKey }
if (-not $Url -or -not $FunctionKey) { Stop-Runbook 2 'Say -Url, and the function key.' }
$Secret = @(Split-List 'Secret' $Secret)
$Key = @(Split-List 'Key' $Key)
$Certificate = @(Split-List 'Certificate' $Certificate)

$order = @{ source = $Vault }
$objects = @(
    $Secret | ForEach-Object { @{ kind = 'secret'; name = $_ } }
    $Key | ForEach-Object { @{ kind = 'key'; name = $_ } }
    $Certificate | ForEach-Object { @{ kind = 'certificate'; name = $_ } }
)
if ($objects) { $order.objects = $objects }

$begun = Invoke-App POST '/api/backups' $order
if ($begun.Status -notin 200, 202) {
    $unknown = if ($begun.Later) { ' It is not known whether a run began: GET /api/backups/runs shows it. A second one is harmless.' }
    Stop-Runbook 2 "$(Show-Problem $begun)$unknown"
}
$path = $begun.Body.links.run
"Run $($begun.Body.run)"
# 200: the run has ended within the request.
$wait = $begun.Status -eq 200 ? 0 : $begun.Wait ?? $LookAgain
do {
    if ($wait -gt 0) { Wait-Awhile $wait }
    $look = Invoke-App GET $path $null
    if ($look.Status -ne 200) {
        Stop-Runbook 2 "$(Show-Problem $look) It is not known how the run ended; it continues without this runbook: GET $path"
    }
    $run = $look.Body.sources | Where-Object source -EQ $Vault | Select-Object -First 1
    if ($run.state -eq 'Running') { "$($run.progress.done) done" }
    $wait = $look.Wait ?? $LookAgain
} while ($run.state -eq 'Running')

$numbers = $run.numbers
$skipped = $numbers.unchanged + $numbers.managed + $numbers.disappeared
"$($run.state): $($numbers.listed) listed = $($numbers.backedUp) backed up + $skipped skipped + $($numbers.failed) failed"
foreach ($kind in $run.unlisted) { "$($kind.kind)s could not be listed: $($kind.failure.code): $($kind.failure.text)" }
$state = $run.state
while ($true) {
    foreach ($object in $run.objects | Where-Object fared -EQ 'failed') {
        "$($object.kind) $($object.name): $($object.failure.code): $($object.failure.text)"
    }
    $more = $look.Body.PSObject.Properties['continue']
    if (-not $more) { break }
    $look = Invoke-App GET "${path}?limit=1000&continue=$([uri]::EscapeDataString($more.Value))" $null
    if ($look.Status -ne 200) { Write-Warning (Show-Problem $look); break }
    $run = $look.Body.sources | Where-Object source -EQ $Vault | Select-Object -First 1
}
switch ($state) {
    'Succeeded' { Stop-Runbook 0 }
    'PartiallyFailed' { Stop-Runbook 1 'Part of it was not backed up.' }
    default { Stop-Runbook 2 'Nothing was backed up.' }
}

#!/usr/bin/env bash
# Restores backups into a vault: plans, shows the plan, asks, carries it out, follows it to its end.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
restore.sh --source VAULT [--target VAULT] WHAT… [options]
restore.sh --plan DIGEST [options]

What to restore; each narrows the choice further:
  --secret NAME, --key NAME, --certificate NAME   these objects; may be repeated, or have several: NAME,NAME
  --kind KIND                                     only this kind; likewise
  --name PATTERN                                  only names that match; `*` stands for any characters
  --everything                                    the whole vault

Options:
  --at TIME            as the backups were then, such as 2026-11-22T10:00:00Z
  --gone               also objects that were gone from the vault by then
  --on-conflict HOW    for names that are taken: fail (default), skip, recoverDeleted, purgeDeleted
  --other-place        also what was taken in another place, by the settings; the vault decides
  --what-if            show the plan and its digest, and stop
  --plan DIGEST        carry out this plan, which a person has read and approved, without asking
  --yes                do not ask
  --repeat KEY         the Idempotency-Key: a second run with the same one follows the first one's restore
  --poll SECONDS       time between two polls, and between two tries, instead of what the app says

Settings: KEYVAULT_BACKUP_URL, KEYVAULT_BACKUP_KEY (of the function Restores), KEYVAULT_BACKUP_TOKEN.
Exit code: 0 everything is restored, or was there already as its backup has it; 1 part of it; 2 nothing is, or the
result is not known. With --what-if: how the plan ends if each of its steps succeeds.
TEXT
}

source_vault="" target="" pattern="" at="" conflict="" everything=false gone=false other_place=false kinds='[]'
yes=false what_if=false digest="" repeat=""

read_arguments() {
    local option
    while (($#)); do
        option=$1
        shift
        case $option in
            --everything) everything=true && continue ;;
            --gone) gone=true && continue ;;
            --other-place) other_place=true && continue ;;
            --what-if) what_if=true && continue ;;
            --yes) yes=true && continue ;;
            --help | -h) usage && exit 0 ;;
        esac
        (($#)) || fail "$option: a value is missing; see --help"
        case $option in
            --source) source_vault=$1 ;;
            --target) target=$1 ;;
            --secret | --key | --certificate) add_objects "${option#--}" "$1" ;;
            --kind) add_kinds "$1" ;;
            --name) pattern=$1 ;;
            --at) at=$1 ;;
            --on-conflict) conflict=$1 ;;
            --plan) digest=$1 ;;
            --repeat) repeat=$1 ;;
            --poll) poll=$1 ;;
            *) fail "$option: there is no such option; see --help" ;;
        esac
        shift
    done
}

add_kinds() {
    local kind
    split --kind "$1"
    for kind in "${names[@]}"; do
        [[ $kind == secret || $kind == key || $kind == certificate ]] ||
            fail "--kind: \"$kind\" is no kind: say secret, key or certificate."
    done
    kinds=$(printf '%s\n' "${names[@]}" | jq -cRn --argjson kinds "$kinds" '$kinds + [inputs]')
}

request() {
    jq -cn --arg source "$source_vault" --arg target "$target" --arg name "$pattern" --arg at "$at" \
        --arg onConflict "$conflict" --argjson objects "$objects" --argjson kinds "$kinds" \
        --argjson everything $everything --argjson gone $gone --argjson otherPlace $other_place \
        '$ARGS.named | with_entries(select(.value | . != "" and . != [] and . != false))'
}

# Every object, its action first, its whole name on that line: its reader may be about to have it destroyed. What is
# purged stands last, next to the question.
show_plan() {
    jq -r '
        def age: if . >= 172800 then "\(. / 86400 | floor) days" elif . >= 7200 then "\(. / 3600 | floor) hours"
            else "\(. / 60 | floor) minutes" end;
        def words: if . == "purgeAndRestore" then "PURGE for good, then restore"
            elif . == "recover" then "recover as deleted, not from the backup" else . end;
        def step: "\(.action | words): \(.kind) \(.name)",
            "    from: \(.run), age: \(.ageSeconds | age), versions: \(.versions)";
        def how: if .reason == "never-backed-up" then "NEVER BACKED UP" elif .skipped then "skip" else "IN THE WAY" end;
        (.steps[] | select(.action != "purgeAndRestore") | step),
        (.left[] | "\(how): \(.kind) \(.name)", "    because: \(.why)"),
        (.steps[] | select(.action == "purgeAndRestore") | step),
        "\(.source) into \(.target): \(.steps | length) to restore\(
            if .purges > 0 then ", \(.purges) of them purged for good first" else "" end), \(
            .left | map(select(.skipped and .reason != "never-backed-up")) | length) skipped\(
            if .alreadyThere > 0 then " (\(.alreadyThere) there already)" else "" end), \(.inTheWay) in the way\(
            if .neverBackedUp > 0 then ", \(.neverBackedUp) never backed up" else "" end)",
        "digest \(.digest)"' <<<"$1"
}

plan() {
    [[ -n $source_vault ]] || fail "Say --source; see --help."
    call POST /api/restores/plan "$(request)"
    [[ $status == 200 ]] || { show_problem; exit $none; }
    digest=$(jq -r .digest <<<"$body")
    show_plan "$body"
}

agree() {
    $yes && return 0
    [[ -t 0 ]] || fail "Nothing was restored: there is no terminal to ask on. Read the plan, then say --yes or --plan $digest."
    local answer
    read -r -p "Restore? [y/N] " answer
    [[ $answer == [yY]* ]] || fail "Nothing was restored."
}

begin() {
    call POST /api/restores "$(jq -cn --arg plan "$digest" '{$plan}')" "$repeat"
    [[ $status == 200 || $status == 202 ]] && return 0
    show_problem
    if may_pass; then
        fail "It is not known whether the restore began. This finds it, or begins it once: restore.sh --plan $digest \
--repeat $repeat"
    fi
    if [[ $(jq -r '.plan.digest? // empty' 2>/dev/null <<<"$body") ]]; then
        say "" "The plan as it would be now:"
        show_plan "$(jq -c .plan <<<"$body")"
    fi
    exit $none
}

follow() {
    restore=$(jq -r .id <<<"$body")
    say "Restore $restore"
    while [[ $(jq -r .state <<<"$body") == Running ]]; do
        jq -r '.numbers | "\(.restored) restored, \(.failed) failed, \(.pending) to go"' <<<"$body"
        wait_a_while
        call GET "/api/restores/$restore?limit=1"
        [[ $status == 200 ]] && continue
        show_problem
        fail "It is not known how restore $restore ended; it continues without this runbook. Poll it again: GET /api/restores/$restore"
    done
}

# What did not come back, page by page.
show_failures() {
    local path="/api/restores/$restore?limit=1000" next=""
    while call GET "$path$next"; do
        [[ $status == 200 ]] || { show_problem; return 0; }
        jq -r '
            (.objects[] | select(.outcome == "failed" or .outcome == "differs") |
                "\(.kind) \(.name): \(.outcome)\(
                if .failure then ": \(.failure.code): \(.failure.text)" elif .difference then ": \(.difference)" else "" end)"),
            (.left[] | select(.reason != "already-there") |
                "\(.kind) \(.name): \(if .skipped then .reason else "in the way" end): \(.why)")' <<<"$body" >&2
        next=$(jq -r '.continue // empty | "&continue=\(. | @uri)"' <<<"$body")
        [[ -n $next ]] || return 0
    done
}

main() {
    read_arguments "$@"
    prepare
    if [[ -z $digest ]]; then
        plan
        if $what_if; then exit_for "$(jq -r .foreseen <<<"$body")"; fi
        agree
    fi
    # One key for all tries of this run: an answer that got lost costs nothing.
    repeat=${repeat:-runbook-$(date +%s)-$RANDOM$RANDOM}
    begin
    follow
    local state
    state=$(jq -r .state <<<"$body")
    jq -r '.numbers as $n | "\(.state): \($n.planned) planned = \($n.restored) restored + \($n.skipped) skipped + \(
        $n.failed) failed + \($n.neverBackedUp) never backed up"' <<<"$body"
    [[ $state == Succeeded ]] || show_failures
    exit_for "$state"
}

main "$@"

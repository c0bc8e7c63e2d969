#!/usr/bin/env bash
# Backs a vault or some of its objects up now, and follows the run to its end.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
backup.sh --vault VAULT [--secret NAME | --key NAME | --certificate NAME]… [--poll SECONDS]

Without names, the whole vault, as in the night. Several names of one kind: repeat the option, or NAME,NAME.
--poll: the seconds between two polls, and between two tries, instead of those that the app says.

Settings: KEYVAULT_BACKUP_URL, KEYVAULT_BACKUP_KEY (of the function Backups), KEYVAULT_BACKUP_TOKEN.
Exit code: 0 everything is backed up or rightly skipped, 1 part of it, 2 nothing is, or the result is not known.
TEXT
}

vault=""

read_arguments() {
    local option
    while (($#)); do
        option=$1
        shift
        case $option in
            --help | -h) usage && exit 0 ;;
        esac
        (($#)) || fail "$option: a value is missing; see --help"
        case $option in
            --vault) vault=$1 ;;
            --secret | --key | --certificate) add_objects "${option#--}" "$1" ;;
            --poll) poll=$1 ;;
            *) fail "$option: there is no such option; see --help" ;;
        esac
        shift
    done
}

order() {
    jq -cn --arg source "$vault" --argjson objects "$objects" '{$source} + (if $objects == [] then {} else {$objects} end)'
}

# The run in this vault.
run_here() { jq -c --arg vault "$vault" '[.sources[] | select(.source == $vault)][0]' <<<"$body"; }

follow() {
    while call GET "$1"; do
        [[ $status == 200 ]] || break
        here=$(run_here)
        [[ $(jq -r .state <<<"$here") == Running ]] || return 0
        jq -r '.progress | "\(.done) of \(.planned // "…") done"' <<<"$here"
        wait_a_while
    done
    show_problem
    fail "It is not known how the run ended; it continues without this runbook. Poll it again: GET $1"
}

# What failed, page by page. The first page is there already.
show_failures() {
    local path=$1 next=""
    jq -r '.unlisted[] | "\(.kind)s could not be listed: \(.failure.code): \(.failure.text)"' <<<"$here" >&2
    while true; do
        jq -r '.objects[] | select(.fared == "failed") | "\(.kind) \(.name): \(.failure.code): \(.failure.text)"' <<<"$here" >&2
        next=$(jq -r '.continue // empty | "?limit=1000&continue=\(. | @uri)"' <<<"$body")
        [[ -n $next ]] || return 0
        call GET "$path$next"
        [[ $status == 200 ]] || { show_problem; return 0; }
        here=$(run_here)
    done
}

main() {
    read_arguments "$@"
    [[ -n $vault ]] || fail "Say --vault; see --help."
    prepare
    call POST /api/backups "$(order)"
    if [[ $status != 200 && $status != 202 ]]; then
        show_problem
        ! may_pass || complain "It is not known whether a run began: GET /api/backups/runs shows it. A second one is harmless."
        exit $none
    fi
    say "Run $(jq -r .run <<<"$body")"
    local path=$location state
    follow "$path"
    state=$(jq -r .state <<<"$here")
    jq -r '.numbers as $n | "\(.state): \($n.listed) listed = \($n.backedUp) backed up + \(
        $n.unchanged + $n.managed + $n.disappeared) skipped + \($n.failed) failed"' <<<"$here"
    show_failures "$path"
    exit_for "$state"
}

main "$@"

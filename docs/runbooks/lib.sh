# Shared by the runbooks in this folder; sourced, not run. Needs bash, curl and jq.
#
# KEYVAULT_BACKUP_URL    the function app, such as https://my-backup.azurewebsites.net
# KEYVAULT_BACKUP_KEY    a function key: of `Restores` for restore.sh, of `Backups` for backup.sh
# KEYVAULT_BACKUP_TOKEN  an access token of the app, where it also has authentication switched on

# 0: everything, 1: part of it, 2: nothing, or nobody can say.
all=0 part=1 none=2

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
fail() {
    complain "$@"
    exit $none
}

# How often a call is made that got no answer, and the seconds between two, unless the app names others.
tries=5 pause=10
# Seconds between two looks; empty: as long as the app's Retry-After says.
poll="" look_again=30

for tool in curl jq; do
    command -v $tool >/dev/null || fail "This runbook needs $tool."
done

prepare() {
    : "${KEYVAULT_BACKUP_URL:?Set KEYVAULT_BACKUP_URL to the address of the function app}"
    : "${KEYVAULT_BACKUP_KEY:?Set KEYVAULT_BACKUP_KEY to the function key}"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
}

# call METHOD PATH [JSON [IDEMPOTENCY-KEY]]: sets `status`, `body`, and from the headers `location` and `retry_after`.
# Makes the call again when there was no answer, or one that says "later". What is posted is safe to repeat:
# a plan changes nothing, a restore has its Idempotency-Key, a second backup run is harmless.
call() {
    local try
    for ((try = 1; try <= tries; try++)); do
        call_once "$@"
        may_pass || return 0
        ((try < tries)) || break
        complain "No answer from $KEYVAULT_BACKUP_URL (HTTP $status); trying again."
        sleep "${retry_after:-$pause}"
    done
    return 0
}

call_once() {
    local method=$1 path=$2 json=${3-} key=${4-}
    : >"$scratch/headers" && : >"$scratch/body"
    # Keys go through standard input: the command line is for everybody to read.
    status=$(
        {
            printf 'header = "x-functions-key: %s"\n' "$KEYVAULT_BACKUP_KEY"
            [[ -z ${KEYVAULT_BACKUP_TOKEN-} ]] || printf 'header = "Authorization: Bearer %s"\n' "$KEYVAULT_BACKUP_TOKEN"
            [[ -z $key ]] || printf 'header = "Idempotency-Key: %s"\n' "$key"
        } | curl --silent --show-error --config - --request "$method" --max-time 300 \
            --dump-header "$scratch/headers" --output "$scratch/body" --write-out '%{http_code}' \
            ${json:+--header 'Content-Type: application/json' --data-binary "$json"} \
            "${KEYVAULT_BACKUP_URL%/}$path"
    ) || status=000
    body=$(<"$scratch/body")
    location=$(header location)
    retry_after=$(header retry-after)
}

header() { { grep -i "^$1:" "$scratch/headers" || true; } | tail -n 1 | cut -d: -f2- | tr -d ' \r'; }

# The app says what is wrong in a problem; without one it was not the app that answered.
may_pass() {
    case $status in
        000 | 429 | 503) true ;;
        5*) ! is_problem ;;
        *) false ;;
    esac
}

is_problem() { [[ $(jq -r 'select(.type? and .detail?) | "yes"' 2>/dev/null <<<"$body") == yes ]]; }

# Says why the app refused, what to do next, and what an Azure service said.
show_problem() {
    if is_problem; then
        jq -r '"\(.title) (HTTP \(.status))\n\(.detail)\nNext: \(.next)",
            (.service | select(.) | "The service: \(.code), HTTP \(.status), request \(.requestId // "unknown")")' <<<"$body" >&2
    elif [[ $status == 401 || $status == 403 ]]; then
        complain "HTTP $status: the key or the token does not open this function."
    else
        complain "HTTP $status: ${body:-no answer}"
    fi
}

# Waits before the next look at a job.
wait_a_while() { sleep "${poll:-${retry_after:-$look_again}}"; }

# add_object KIND NAME: to `objects`, a JSON list.
objects='[]'
add_object() { objects=$(jq -c --arg kind "$1" --arg name "$2" '. + [{$kind, $name}]' <<<"$objects"); }

# exit_for STATE: ends the runbook.
exit_for() {
    case $1 in
        Succeeded) exit $all ;;
        PartiallyFailed) exit $part ;;
        *) exit $none ;;
    esac
}

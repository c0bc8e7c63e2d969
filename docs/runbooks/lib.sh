# Shared by the runbooks in this folder; sourced, not run. Needs bash, curl and jq.
#
# KEYVAULT_BACKUP_URL    the function app, such as https://my-backup.azurewebsites.net
# KEYVAULT_BACKUP_KEY    a function key: of `Restores` for restore.sh, of `Backups` for backup.sh
# KEYVAULT_BACKUP_TOKEN  an access token of the app, where it also has authentication switched on

# 0: everything, 1: part of it, 2: nothing, or the result is not known.
all=0 part=1 none=2

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$@" >&2; }
fail() {
    complain "$@"
    exit $none
}

# How often a call is made that got no answer, and the seconds between two, unless the app names others.
tries=5 pause=10
# Seconds between two polls, and between two tries; empty: as long as the app's Retry-After says.
poll="" look_again=30

for tool in curl jq; do
    command -v $tool >/dev/null || fail "This runbook needs $tool."
done

prepare() {
    : "${KEYVAULT_BACKUP_URL:?Set KEYVAULT_BACKUP_URL to the address of the function app}"
    : "${KEYVAULT_BACKUP_KEY:?Set KEYVAULT_BACKUP_KEY to the function key}"
    host=${KEYVAULT_BACKUP_URL#*://}
    host=${host%%[/?#]*}
    host=${host##*@}
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
        complain "$(what_came); trying again."
        sleep "${poll:-${retry_after:-$pause}}"
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
            "${KEYVAULT_BACKUP_URL%/}$path" 2>"$scratch/error"
    ) || status=000
    body=$(<"$scratch/body")
    location=$(header location)
    retry_after=$(header retry-after)
    # It may be a date.
    [[ $retry_after =~ ^[0-9]+$ ]] || retry_after=""
}

header() { { grep -i "^$1:" "$scratch/headers" || true; } | tail -n 1 | cut -d: -f2- | tr -d ' \r'; }

# What came of a call, for people. 000 is no status of HTTP: there was no answer, or not a whole one.
what_came() {
    if [[ $status == 000 ]]; then
        local error
        error=$(<"$scratch/error")
        say "No answer from $host: ${error#curl: }"
    else
        say "$host answers HTTP $status"
    fi
}

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
    if [[ $status == 000 ]]; then
        complain "$(what_came)" "Next: check that KEYVAULT_BACKUP_URL is the address of the app, that the app runs, and \
that this machine reaches it: its name, a proxy, a firewall, a private endpoint."
    elif is_problem; then
        jq -r '"\(.title) (HTTP \(.status))\n\(.detail)\nNext: \(.next)",
            (.service | select(.) | "The service: \(.code), HTTP \(.status), request \(.requestId // "unknown")")' <<<"$body" >&2
    elif [[ $status == 401 || $status == 403 ]]; then
        complain "HTTP $status: the key or the token does not open this function."
    else
        complain "HTTP $status: ${body:-nothing else was said}"
    fi
}

# Waits before the next poll of a job.
wait_a_while() { sleep "${poll:-${retry_after:-$look_again}}"; }

# split OPTION LIST: sets `names`. A list in one word has commas between its names, or is a JSON list, with its quotes or
# without: that is how other programs hand lists over.
names=()
split() {
    local option=$1 list=$2 name LC_ALL=C
    local bracketed='^[[:space:]]*\[(.*)\][[:space:]]*$' quoted="^\"(.*)\"\$|^'(.*)'\$"
    names=()
    [[ ! $list =~ $bracketed ]] || list=${BASH_REMATCH[1]}
    list+=,
    while [[ -n $list ]]; do
        name=${list%%,*}
        list=${list#*,}
        name=${name#"${name%%[![:space:]]*}"}
        name=${name%"${name##*[![:space:]]}"}
        [[ ! $name =~ $quoted ]] || name=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
        [[ $name =~ ^[0-9a-zA-Z-]{1,127}$ ]] || fail "$option: \"$name\" cannot be a name: a name has 1 to 127 letters, \
digits and hyphens, and several have commas between them."
        names+=("$name")
    done
}

# add_objects KIND LIST: to `objects`, a JSON list.
objects='[]'
add_objects() {
    split "--$1" "$2"
    objects=$(printf '%s\n' "${names[@]}" |
        jq -cRn --arg kind "$1" --argjson objects "$objects" '$objects + [inputs | {$kind, name: .}]')
}

# exit_for STATE: ends the runbook.
exit_for() {
    case $1 in
        Succeeded) exit $all ;;
        PartiallyFailed) exit $part ;;
        *) exit $none ;;
    esac
}

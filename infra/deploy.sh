#!/usr/bin/env bash
# Deploys everything: what-if, roles, infrastructure, package, and a call that checks that it runs. Where the apps are there
# already they get the new package first, because an older one may need what a role loses.
#
# usage: infra/deploy.sh --location REGION [--parameters FILE] [--package ZIP] [options]
#
#   --location REGION     the region of the deployment's record and of all resources
#   --parameters FILE     parameter file; infra/main.bicepparam when left out
#   --package ZIP         the package, of a release or as `cargo package-app` makes it; dist/keyvault-backup.zip when left out
#   --sha256 DIGEST       deploys the package only if this is its digest; SHA256SUMS of a release has it
#   --skip-roles          deploys no custom roles; they need an Owner, the rest does not
#   --skip-hsm            leaves the HSMs alone; their administrator runs scripts/hsm-*.sh
#   --skip-package        deploys no code
#   --what-if             shows what would change, and changes nothing
#   --yes                 does not ask
#
# Safe to run twice. Vaults in other subscriptions: VAULT_SUBSCRIPTION_IDS, separated by commas.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=infra/scripts/common.sh
. "$here/scripts/common.sh"

location='' parameters="$here/main.bicepparam" package="$here/../dist/keyvault-backup.zip"
digest='' roles=1 hsm=1 code=1 ask=1
while [ $# -gt 0 ]; do
    case $1 in
    --location) location=$(value "$@"); shift 2 ;;
    --parameters) parameters=$(value "$@"); shift 2 ;;
    --package) package=$(value "$@"); shift 2 ;;
    --sha256) digest=$(value "$@"); shift 2 ;;
    --skip-roles) roles=0; shift ;;
    --skip-hsm) hsm=0; shift ;;
    --skip-package) code=0; shift ;;
    --what-if) WHAT_IF=1; shift ;;
    --yes) ask=0; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$location" ] || die "--location is needed; see --help"
need az curl
[ "$code" = 0 ] || [ "$WHAT_IF" = 1 ] || [ -f "$package" ] || die "$package is not there: download it from a release, or run cargo package-app"

said=$(mktemp)
checked=$(mktemp -d)
trap 'rm -rf "$said" "$checked"' EXIT
if [ -n "$digest" ] && [ "$code" = 1 ]; then
    # What was compared is what is deployed, whatever becomes of the file meanwhile.
    cp "$package" "$checked/" || die "$package cannot be read"
    package=$checked/$(basename "$package")
    seen=$(digest_of "$package")
    [ "$seen" = "${digest,,}" ] || die "the package has the SHA-256 $seen, and not $digest: nothing is deployed"
    say "the package has the SHA-256 $seen, as it must"
fi

# `West Europe` is `westeurope`.
location=${location,,}
location=${location// /}
# Named after template and region, so that a second run replaces the record of the first: Azure refuses a name that is
# recorded in another region.
deployment="keyvault-backup-$(basename "$parameters" .bicepparam)-$location"
role_deployment="keyvault-backup-roles-$location"
common=(--location "$location" --parameters)

if [ "$roles" = 1 ]; then
    say '== roles: what would change'
    az deployment sub what-if --name "$role_deployment" "${common[@]}" "$here/roles.bicepparam"
fi
say '== infrastructure: what would change'
az deployment sub what-if --name "$deployment" "${common[@]}" "$parameters" location="$location"
[ "$WHAT_IF" = 0 ] || exit 0
if [ "$ask" = 1 ]; then
    read -r -p 'Deploy this? [y/N] ' answer
    [ "$answer" = y ] || die 'not deployed'
fi

output() {
    az deployment sub show --name "${2:-$deployment}" --query "properties.outputs.$1.value" --output tsv
}

# A new role is not known everywhere at first, and a deployment that assigns it fails.
infrastructure() {
    local try
    for try in 1 2 3 4 5; do
        [ "$try" = 1 ] || { say "the custom roles are not known everywhere yet; try $try of 5 in a minute" && sleep 60; }
        az deployment sub create --name "$deployment" "${common[@]}" "$parameters" location="$location" --output none 2>&1 |
            tee "$said" >&2 && return
        grep -qE 'RoleDefinitionDoesNotExist|role definition .* does not exist' "$said" || die 'the infrastructure was not deployed'
    done
    die 'the custom roles are not there: deploy infra/roles.bicep first, or leave --skip-roles out'
}

# Right after the first deployment the rights of the identity may not have arrived everywhere.
published=' '
publish() {
    local try
    say "== package to $1"
    for try in 1 2 3 4 5; do
        if az functionapp deployment source config-zip --resource-group "$group" --name "$1" --src "$package" --output none; then
            published+="$1 "
            return
        fi
        say "$1: try $try failed; rights take some minutes to arrive"
        sleep 60
    done
    die "$1: the package was not deployed"
}

# The key goes through standard input: arguments can be seen by other processes.
ask_app() {
    local key
    key=$(az functionapp function keys list --resource-group "$group" --name "$1" --function-name Status --query default --output tsv)
    printf 'header = "x-functions-key: %s"\n%s' "$key" "$bearer" |
        curl --config - --silent --show-error --fail --max-time "$4" "https://$2/api/status/$3"
}

smoke() {
    local answer try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if answer=$(ask_app "$1" "$2" health 60); then
            printf '%s: %s\n' "$1" "$answer"
            return
        fi
        say "$1: no answer yet (try $try)"
        sleep 15
    done
    die "$1 does not answer; see docs/install.md"
}

# The script does not sign in, so the platform answers before the app: with the way to the sign-in.
signs_in() {
    local answer try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        answer=$(curl --silent --output /dev/null --max-time 60 --write-out '%{http_code} %{redirect_url}' "https://$2/api/page") || answer=''
        case $answer in
        '302 https://'*)
            say "$1 asks people to sign in. What they see then is to be looked at in a browser: https://$2/api/page"
            return ;;
        200*) die "$1 shows the page to people who did not sign in: stop it with az functionapp stop, and see docs/security.md" ;;
        esac
        say "$1: no answer yet (try $try)"
        sleep 15
    done
    die "$1 does not ask people to sign in; see docs/install.md"
}

# The app adds a probe, as it adds backups, and says whether storage took it.
probe() {
    local app=$1 answer='' try
    # The app gives a report out again for so long, and one from before would say nothing.
    say "$app: is asked for its rights in two minutes"
    sleep 120
    for try in 1 2 3 4 5; do
        answer=$(ask_app "$app" "$2" 'preflight?severity=error' 120) && break
        say "$app: no answer about its rights yet (try $try)"
        sleep 15
    done
    [ -n "$answer" ] || die "$app does not say whether it can still add backups. If it did not run before either, run this again with" \
        "--skip-roles, which deploys its settings; see docs/upgrade.md"
    case $answer in
    *container-unwritable*) give_back "$app" ;;
    # There is one probe a day. Where it is there already, a refusal of another one may be for the name.
    *'probe of today is there'*)
        say "$app: not known today whether it can still add backups, as its probe of today is there; ask again tomorrow:"
        say '  GET /api/status/preflight' ;;
    *) say "$app can add backups" ;;
    esac
}

# Ends with the command that lets the role overwrite again, as in earlier versions.
give_back() {
    local id blobs='Microsoft.Storage/storageAccounts/blobServices/containers' scope name
    id=$(output blobWriterRoleName "$role_deployment")
    name=$(az role definition list --name "$id" --query '[0].roleName' --output tsv)
    scope="/subscriptions/$(az account show --query id --output tsv)"
    say "storage refuses the probe that $1 adds, so $1 cannot back up. This gives the role its former right back, until it is"
    say 'known why; then run this script again with --skip-roles:'
    printf 'az role definition update --role-definition %s\n' "'$(
        printf '{"id": "%s/providers/Microsoft.Authorization/roleDefinitions/%s", "roleName": "%s", ' "$scope" "$id" "$name"
        printf '"description": "Reads, adds and writes blobs.", "assignableScopes": ["%s"], "actions": ["%s/read"], ' "$scope" "$blobs"
        printf '"dataActions": ["%s/blobs/read", "%s/blobs/add/action", "%s/blobs/write"]}' "$blobs" "$blobs" "$blobs"
    )'"
    die "stopped: $1 cannot back up"
}

# Storage deletes nothing by its age alone that can be the only copy. A rule that is there all the same is of an earlier
# version, or of a person.
lifecycle() {
    local account prefix prefixes
    local deleting='policy.rules[?definition.actions.*.delete].[definition.filters.prefixMatch || ['"'everything'"']][][]'
    for account in $(output backupAccountNames); do
        prefixes=$(az storage account management-policy show --account-name "$account" --resource-group "$group" \
            --query "$deleting" --output tsv) || die "the lifecycle rules of $account cannot be read: nothing shows that backups stay"
        while read -r prefix; do
            case $prefix in
            '' | */preflight/*) ;;
            *) die "$account: a lifecycle rule deletes $prefix by age alone, also what is the last good backup. Remove it:" \
                "az storage account management-policy delete --account-name $account --resource-group $group" ;;
            esac
        done <<<"$prefixes"
    done
}

# With Entra ID in front, the key alone does not get in.
bearer=''
if [ -n "${KVBACKUP_AUTH_CLIENT_ID:-}" ]; then
    token=$(az account get-access-token --resource "api://$KVBACKUP_AUTH_CLIENT_ID" --query accessToken --output tsv) ||
        die "no token for api://$KVBACKUP_AUTH_CLIENT_ID: the Azure CLI has to be an allowed application, and you need an app role"
    bearer=$(printf 'header = "Authorization: Bearer %s"' "$token")
fi

# Only an answer shows that there is no earlier deployment.
if ! earlier=$(output backupAppName 2>"$said"); then
    grep -qE 'DeploymentNotFound|could not be found' "$said" || die "not known whether the apps are there already: $(cat "$said")"
    earlier=''
fi
if [ -n "$earlier" ]; then
    group=$(output resourceGroupName)
    earlier_host=$(output backupAppHostName)
    for role in backup restore keeper page; do
        app=$(output "${role}AppName")
        [ "$code" = 0 ] || [ -z "$app" ] || publish "$app"
    done
fi

if [ "$roles" = 1 ]; then
    say '== roles'
    az deployment sub create --name "$role_deployment" "${common[@]}" "$here/roles.bicepparam" --output none
    [ -z "$earlier" ] || probe "$earlier" "$earlier_host"
fi

say '== infrastructure'
infrastructure
group=$(output resourceGroupName)
lifecycle

if [ "$hsm" = 1 ]; then
    for name in $(output hsmNames); do
        say "== HSM $name"
        "$here/scripts/hsm-attach.sh" --hsm "$name" --identity "$(output hsmIdentityResourceId)"
        "$here/scripts/hsm-roles.sh" --hsm "$name" --backup "$(output backupPrincipalId)"
        # A right to wipe an HSM does not stand: it is given for the time of a restore, by a person.
        [ -z "$(output restoreAppName)" ] || say "$name: its restore app gets no right here. For the time of a restore run" \
            "infra/scripts/hsm-roles.sh --hsm $name --restore $(output restorePrincipalId)" \
            "--account $(output backupAccountNames | head -n 1) --grant-restore --hours 4"
    done
fi
[ "$code" = 1 ] || exit 0

for role in backup restore keeper page; do
    app=$(output "${role}AppName")
    [ -n "$app" ] || continue
    [[ $published == *" $app "* ]] || publish "$app"
    if [ "$role" = page ]; then
        signs_in "$app" "$(output pageAppHostName)"
    else
        smoke "$app" "$(output "${role}AppHostName")"
    fi
done
# A right that a role lost is gone everywhere only after some minutes.
[ -z "$earlier" ] || probe "$earlier" "$earlier_host"

#!/usr/bin/env bash
# Deploys everything: what-if, infrastructure, roles, package, and a call that checks that it runs.
#
# usage: infra/deploy.sh --location REGION [--parameters FILE] [--package ZIP] [options]
#
#   --location REGION     the region of the deployment's record and of all resources
#   --parameters FILE     parameter file; infra/main.bicepparam when left out
#   --package ZIP         the package; `cargo package-app` makes dist/keyvault-backup.zip
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
roles=1 hsm=1 code=1 ask=1
while [ $# -gt 0 ]; do
    case $1 in
    --location) location=$(value "$@"); shift 2 ;;
    --parameters) parameters=$(value "$@"); shift 2 ;;
    --package) package=$(value "$@"); shift 2 ;;
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
[ "$code" = 0 ] || [ "$WHAT_IF" = 1 ] || [ -f "$package" ] || die "$package is not there; run: cargo package-app"

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

if [ "$roles" = 1 ]; then
    say '== roles'
    az deployment sub create --name "$role_deployment" "${common[@]}" "$here/roles.bicepparam" --output none
fi

# A new role is not known everywhere at first, and a deployment that assigns it fails.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
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
say '== infrastructure'
infrastructure
output() {
    az deployment sub show --name "$deployment" --query "properties.outputs.$1.value" --output tsv
}
group=$(output resourceGroupName)

if [ "$hsm" = 1 ]; then
    restore=()
    [ -z "$(output restoreAppName)" ] || restore=(--restore "$(output restorePrincipalId)")
    for name in $(output hsmNames); do
        say "== HSM $name"
        "$here/scripts/hsm-attach.sh" --hsm "$name" --identity "$(output hsmIdentityResourceId)"
        "$here/scripts/hsm-roles.sh" --hsm "$name" --backup "$(output backupPrincipalId)" "${restore[@]}"
    done
fi
[ "$code" = 1 ] || exit 0

# Right after the first deployment the rights of the identity may not have arrived everywhere.
publish() {
    local try
    for try in 1 2 3 4 5; do
        az functionapp deployment source config-zip --resource-group "$group" --name "$1" --src "$package" --output none && return
        say "$1: try $try failed; rights take some minutes to arrive"
        sleep 60
    done
    die "$1: the package was not deployed"
}

# The key goes through standard input: arguments can be seen by other processes.
smoke() {
    local app=$1 host=$2 key answer try
    key=$(az functionapp function keys list --resource-group "$group" --name "$app" --function-name Status --query default --output tsv)
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if answer=$(printf 'header = "x-functions-key: %s"\n%s' "$key" "$bearer" |
            curl --config - --silent --show-error --fail --max-time 60 "https://$host/api/status/health"); then
            printf '%s: %s\n' "$app" "$answer"
            return
        fi
        say "$app: no answer yet (try $try)"
        sleep 15
    done
    die "$app does not answer; see docs/install.md"
}

# With Entra ID in front, the key alone does not get in.
bearer=''
if [ -n "${KVBACKUP_AUTH_CLIENT_ID:-}" ]; then
    token=$(az account get-access-token --resource "api://$KVBACKUP_AUTH_CLIENT_ID" --query accessToken --output tsv) ||
        die "no token for api://$KVBACKUP_AUTH_CLIENT_ID: the Azure CLI has to be an allowed application, and you need an app role"
    bearer=$(printf 'header = "Authorization: Bearer %s"' "$token")
fi

for role in backup restore; do
    app=$(output "${role}AppName")
    [ -n "$app" ] || continue
    say "== package to $app"
    publish "$app"
    smoke "$app" "$(output "${role}AppHostName")"
done

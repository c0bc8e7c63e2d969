#!/usr/bin/env bash
# Makes the app registration that people sign in to when they open the status page in a browser. Twice: before the page app is
# deployed, for its client id; and after it, with the app's address and the identity that stands for a client secret.
#
# usage: sign-in-registration.sh --environment NAME [--host HOST --identity OBJECT_ID] [--grant PRINCIPAL_ID]... [--what-if]
#
#   --host      the host name of the page app, from the outputs of the deployment: people come back to it
#   --identity  the object id of the identity that stands for a client secret, from the same outputs
#   --grant     lets a user or a group sign in and see the page, by object id; may be repeated
#
# It is no registration of the API, and has one role, Backup.Read, for people. Only who has it gets in. There is no client secret.
# Prints the client id for the parameter `signIn`. Safe to run twice. Needs the directory role Application Administrator.

# shellcheck source=infra/scripts/common.sh
. "$(dirname "$0")/common.sh"

environment='' host='' identity='' grants=()
while [ $# -gt 0 ]; do
    case $1 in
    --environment) environment=$(value "$@"); shift 2 ;;
    --host) host=$(value "$@"); shift 2 ;;
    --identity) identity=$(value "$@"); shift 2 ;;
    --grant) grants+=("$(value "$@")"); shift 2 ;;
    --what-if) WHAT_IF=1; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$environment" ] || die "--environment is needed; see --help"
[ -n "$host" ] && [ -n "$identity" ] || [ -z "$host$identity" ] || die "--host and --identity belong together; see --help"
[[ $host =~ ^[A-Za-z0-9.-]*$ ]] || die "--host wants a name, such as APP.azurewebsites.net, without https:// and path"
need az python3

name="keyvault-backup-page-$environment"
graph="$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)"
graph="${graph%/}/v1.0"

# The id is made from the name, so that a second run changes nothing. People alone: a program has the API.
role=$(python3 -c 'import uuid; print(uuid.uuid5(uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "keyvault-backup/Backup.Read"))')
roles="[{\"id\": \"$role\", \"value\": \"Backup.Read\", \"displayName\": \"Backup.Read\", \"description\": \"Sees the status page.\", \
\"isEnabled\": true, \"allowedMemberTypes\": [\"User\"]}]"

client=$(az ad app list --display-name "$name" --query "[?displayName=='$name'].appId | [0]" --output tsv)
if [ -z "$client" ]; then
    if [ "$WHAT_IF" = 1 ]; then
        say "would make the app registration $name with the role Backup.Read"
        exit 0
    fi
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
    say "made the app registration $name"
fi
# The platform reads who signed in from an id token.
change az ad app update --id "$client" --app-roles "$roles" --enable-id-token-issuance true --enable-access-token-issuance false

principal=$(az ad sp list --filter "appId eq '$client'" --query '[0].id' --output tsv)
if [ -z "$principal" ]; then
    if [ "$WHAT_IF" = 1 ]; then
        say "would make the service principal of $name"
        exit 0
    fi
    principal=$(az ad sp create --id "$client" --query id --output tsv)
fi
# Without this, the whole tenant gets in.
change az ad sp update --id "$principal" --set appRoleAssignmentRequired=true

# Where assignment is required people cannot consent for themselves; this consents for all to say who they are, and to nothing else.
consents=$(az rest --method get --url "$graph/servicePrincipals/$principal/oauth2PermissionGrants" \
    --query 'value[] | length(@)' --output tsv)
if [ "${consents:-0}" = 0 ]; then
    directory=$(az ad sp list --filter "appId eq '00000003-0000-0000-c000-000000000000'" --query '[0].id' --output tsv)
    change az rest --method post --url "$graph/oauth2PermissionGrants" --output none --body "{\"clientId\": \"$principal\", \
\"consentType\": \"AllPrincipals\", \"resourceId\": \"$directory\", \"scope\": \"openid profile email\"}"
fi

if [ -n "$host" ]; then
    change az ad app update --id "$client" --web-redirect-uris "https://$host/.auth/login/aad/callback"
    authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
    tenant=$(az account show --query tenantId --output tsv)
    case $authority in
    *.us | *.us/) audience=api://AzureADTokenExchangeUSGov ;;
    *.cn | *.cn/) audience=api://AzureADTokenExchangeChina ;;
    *) audience=api://AzureADTokenExchange ;;
    esac
    credential="{\"name\": \"page-app\", \"issuer\": \"${authority%/}/$tenant/v2.0\", \"subject\": \"$identity\", \
\"audiences\": [\"$audience\"], \"description\": \"The page app, instead of a client secret.\"}"
    there=$(az ad app federated-credential list --id "$client" --query "[?name=='page-app'].id | [0]" --output tsv)
    if [ -n "$there" ]; then
        change az ad app federated-credential update --id "$client" --federated-credential-id "$there" --parameters "$credential"
    else
        change az ad app federated-credential create --id "$client" --parameters "$credential" --output none
    fi
fi

for who in "${grants[@]}"; do
    there=$(az rest --method get --url "$graph/servicePrincipals/$principal/appRoleAssignedTo" \
        --query "value[?principalId=='$who' && appRoleId=='$role'] | length(@)" --output tsv)
    if [ "${there:-0}" != 0 ]; then
        say "$who has Backup.Read already"
        continue
    fi
    change az rest --method post --url "$graph/servicePrincipals/$principal/appRoleAssignedTo" --output none \
        --body "{\"principalId\": \"$who\", \"resourceId\": \"$principal\", \"appRoleId\": \"$role\"}"
    say "$who may see the page"
done

printf '%s\n' "$client"

#!/usr/bin/env bash
# Makes the app registration that Microsoft Entra ID checks callers against, with its four app roles.
#
# usage: app-registration.sh --environment NAME [--grant ROLE=PRINCIPAL_ID]... [--what-if]
#
#   --grant   gives an app role to a user, group or service principal, by object id; may be repeated
#
# The roles are Backup.Read, Backup.Write, Restore.Operator and Restore.Approver. Nobody gets in without one of them. For
# approvals by a second person give Restore.Approver to people who do not have Restore.Operator. There is no client
# secret: the app only checks tokens. Prints the client id for the parameter `authentication`.
# Safe to run twice. Needs the directory role Application Administrator; --grant needs it, too.

# shellcheck source=infra/scripts/common.sh
. "$(dirname "$0")/common.sh"

environment='' grants=()
while [ $# -gt 0 ]; do
    case $1 in
    --environment) environment=$(value "$@"); shift 2 ;;
    --grant) grants+=("$(value "$@")"); shift 2 ;;
    --what-if) WHAT_IF=1; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$environment" ] || die "--environment is needed; see --help"
need az python3

name="keyvault-backup-$environment"
graph="$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)"
graph="${graph%/}/v1.0"

# The ids are made from the names, so that a second run changes nothing.
roles=$(python3 - <<'PY'
import json, uuid
space = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
texts = {
    "Backup.Read": "Sees backups and their state.",
    "Backup.Write": "Starts backups.",
    "Restore.Operator": "Plans and starts restores.",
    "Restore.Approver": "Reads plans of restores and approves them.",
}
print(json.dumps([
    {"id": str(uuid.uuid5(space, "keyvault-backup/" + value)), "value": value, "displayName": value,
     "description": text, "isEnabled": True,
     # Two people: no program approves.
     "allowedMemberTypes": ["User"] if value == "Restore.Approver" else ["User", "Application"]}
    for value, text in texts.items()
]))
PY
)

client=$(az ad app list --display-name "$name" --query "[?displayName=='$name'].appId | [0]" --output tsv)
if [ -z "$client" ]; then
    if [ "$WHAT_IF" = 1 ]; then
        say "would make the app registration $name with the roles Backup.Read, Backup.Write, Restore.Operator and Restore.Approver"
        exit 0
    fi
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
    say "made the app registration $name"
fi
change az ad app update --id "$client" --app-roles "$roles" --identifier-uris "api://$client"

principal=$(az ad sp list --filter "appId eq '$client'" --query '[0].id' --output tsv)
if [ -z "$principal" ]; then
    if [ "$WHAT_IF" = 1 ]; then
        say "would make the service principal of $name"
        exit 0
    fi
    principal=$(az ad sp create --id "$client" --query id --output tsv)
fi
# Without this, everybody in the tenant gets a token for the app.
change az ad sp update --id "$principal" --set appRoleAssignmentRequired=true

for grant in "${grants[@]}"; do
    role=${grant%%=*} who=${grant#*=}
    id=$(python3 -c 'import json,sys; print(next((r["id"] for r in json.loads(sys.argv[1]) if r["value"] == sys.argv[2]), ""))' "$roles" "$role")
    [ -n "$id" ] || die "$role is none of Backup.Read, Backup.Write, Restore.Operator, Restore.Approver"
    there=$(az rest --method get --url "$graph/servicePrincipals/$principal/appRoleAssignedTo" \
        --query "value[?principalId=='$who' && appRoleId=='$id'] | length(@)" --output tsv)
    if [ "${there:-0}" != 0 ]; then
        say "$who has $role already"
        continue
    fi
    change az rest --method post --url "$graph/servicePrincipals/$principal/appRoleAssignedTo" --output none \
        --body "{\"principalId\": \"$who\", \"resourceId\": \"$principal\", \"appRoleId\": \"$id\"}"
    say "$who gets $role"
done

printf '%s\n' "$client"

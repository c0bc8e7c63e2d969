#!/usr/bin/env bash
# Grants local roles on a Managed HSM. They are in the HSM itself, where ARM does not reach.
#
# usage: hsm-roles.sh --hsm NAME --backup PRINCIPAL_ID [--restore PRINCIPAL_ID] [--what-if]
#
#   --backup    object id of the identity that backs up: Managed HSM Backup on /
#   --restore   object id of the identity that restores: Managed HSM Restore on /, and Managed HSM Backup on /,
#               because a full restore takes a backup of its target first
#
# Safe to run twice. Needs Managed HSM Administrator or Policy Administrator in the HSM.

# shellcheck source=infra/scripts/common.sh
. "$(dirname "$0")/common.sh"

hsm='' backup='' restore=''
while [ $# -gt 0 ]; do
    case $1 in
    --hsm) hsm=$(value "$@"); shift 2 ;;
    --backup) backup=$(value "$@"); shift 2 ;;
    --restore) restore=$(value "$@"); shift 2 ;;
    --what-if) WHAT_IF=1; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$hsm" ] && [ -n "$backup$restore" ] || die "--hsm and --backup or --restore are needed; see --help"
need az

# A full backup or restore wants the scope of the whole HSM.
grant() {
    local role=$1 principal=$2 there
    there=$(az keyvault role assignment list --hsm-name "$hsm" --scope / --assignee-object-id "$principal" \
        --query "[?roleName=='$role'] | length(@)" --output tsv)
    if [ "${there:-0}" != 0 ]; then
        say "$hsm: $principal has $role already"
        return
    fi
    change az keyvault role assignment create --hsm-name "$hsm" --scope / --role "$role" \
        --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal --output none
    say "$hsm: $principal gets $role"
}

if [ -n "$backup" ]; then
    grant 'Managed HSM Backup' "$backup"
fi
if [ -n "$restore" ]; then
    grant 'Managed HSM Restore' "$restore"
    grant 'Managed HSM Backup' "$restore"
fi

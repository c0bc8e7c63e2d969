#!/usr/bin/env bash
# Attaches a user-assigned identity to a Managed HSM, beside those that it has.
#
# usage: hsm-attach.sh --hsm NAME --identity RESOURCE_ID [--what-if]
#
# The HSM writes its backups as this identity. ARM replaces an HSM whole, so this is no template.
# Safe to run twice. Needs the right to write the HSM, such as Managed HSM contributor.

# shellcheck source=infra/scripts/common.sh
. "$(dirname "$0")/common.sh"

hsm='' identity=''
while [ $# -gt 0 ]; do
    case $1 in
    --hsm) hsm=$(value "$@"); shift 2 ;;
    --identity) identity=$(value "$@"); shift 2 ;;
    --what-if) WHAT_IF=1; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$hsm" ] && [ -n "$identity" ] || die "--hsm and --identity are needed; see --help"
need az

# The command sets the whole list, so the others have to be in it. The quotes hold JMESPath, not a command.
# shellcheck disable=SC2016
present=$(az keyvault show --hsm-name "$hsm" --query 'keys(identity.userAssignedIdentities || `{}`)' --output tsv)
identities=()
while IFS= read -r id; do
    [ -n "$id" ] || continue
    if [ "${id,,}" = "${identity,,}" ]; then
        say "$hsm has the identity already"
        exit 0
    fi
    identities+=("$id")
done <<<"$present"

change az keyvault update-hsm --hsm-name "$hsm" --mi-user-assigned "${identities[@]}" "$identity" --output none
say "$hsm: ${#identities[@]} identities were there, one is added"

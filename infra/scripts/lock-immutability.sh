#!/usr/bin/env bash
# Locks the write protection of the backup account. THIS CANNOT BE UNDONE, not even by Microsoft.
#
# usage: lock-immutability.sh --account NAME --group RESOURCE_GROUP [--yes NAME] [--what-if]
#
#   --yes   the name of the account once more; without it the script asks for it
#
# A locked policy can be made longer, never shorter, and the account cannot be deleted while it holds protected blobs.
# Afterwards set immutabilityState to Locked in the parameter file: deploying Unlocked fails from now on.
# Safe to run twice. Needs the right to write the storage account.

# shellcheck source=infra/scripts/common.sh
. "$(dirname "$0")/common.sh"

account='' group='' yes=''
while [ $# -gt 0 ]; do
    case $1 in
    --account) account=$(value "$@"); shift 2 ;;
    --group) group=$(value "$@"); shift 2 ;;
    --yes) yes=$(value "$@"); shift 2 ;;
    --what-if) WHAT_IF=1; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$account" ] && [ -n "$group" ] || die "--account and --group are needed; see --help"
need az

policy=immutableStorageWithVersioning.immutabilityPolicy
read -r state days < <(az storage account show --name "$account" --resource-group "$group" \
    --query "[$policy.state, to_string($policy.immutabilityPeriodSinceCreationInDays)] | join(' ', @)" --output tsv) || true
case ${state:-None} in
Locked)
    say "$account is locked already, for $days days"
    exit 0
    ;;
Unlocked) ;;
*) die "$account has no unlocked policy (it is: ${state:-None}); only an Unlocked one can be locked" ;;
esac

say "$account: nothing in it can be deleted or changed for $days days from its creation. This cannot be undone."
if [ "$WHAT_IF" = 0 ] && [ "$yes" != "$account" ]; then
    read -r -p "Type the name of the account to lock it: " yes
    [ "$yes" = "$account" ] || die "not locked"
fi
id=$(az storage account show --name "$account" --resource-group "$group" --query id --output tsv)
change az resource update --ids "$id" --api-version 2025-06-01 --set "properties.$policy.state=Locked" --output none
say "set immutabilityState to Locked in the parameter file now"

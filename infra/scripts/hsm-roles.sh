#!/usr/bin/env bash
# Grants and revokes local roles on a Managed HSM. They are in the HSM itself, where ARM does not reach.
#
# usage: hsm-roles.sh --hsm NAME --backup PRINCIPAL_ID [--what-if]
#        hsm-roles.sh --hsm NAME --restore PRINCIPAL_ID --account ACCOUNT [--container NAME] --grant-restore --hours N [--drill] [--what-if]
#        hsm-roles.sh --hsm NAME --restore PRINCIPAL_ID --account ACCOUNT [--container NAME] --revoke-restore [--drill] [--what-if]
#
#   --backup          object id of the identity that backs up: Managed HSM Backup on /, for good
#   --restore         object id of the identity that restores
#   --grant-restore   gives it Managed HSM Restore on /, and Managed HSM Backup on /, because a full restore takes a
#                     backup of its target first
#   --hours           when that is to end, in hours from now, 1 to 168. An HSM's assignments do not end by themselves
#   --revoke-restore  takes both away
#   --drill           also gives, or takes, Managed HSM Crypto Auditor on /: who drills in an HSM lists what it would wipe. Give it
#                     again after the restore, which puts the roles of the other HSM there
#   --account         storage account of the backups, where the end is recorded: preflight reads it there
#   --container       container of the backups; backups when left out
#
# Safe to run twice. What is there is read back after each change: the Azure CLI is known to print AccessDenied and to
# assign all the same. Needs Managed HSM Administrator or Policy Administrator in the HSM, and for --grant-restore and
# --revoke-restore Key Vault Backup Blob Writer on the container, without a condition.

# shellcheck source=infra/scripts/common.sh
. "$(dirname "$0")/common.sh"

hsm='' backup='' restore='' account='' container=backups hours='' act='' drill=''
while [ $# -gt 0 ]; do
    case $1 in
    --hsm) hsm=$(value "$@"); shift 2 ;;
    --backup) backup=$(value "$@"); shift 2 ;;
    --restore) restore=$(value "$@"); shift 2 ;;
    --account) account=$(value "$@"); shift 2 ;;
    --container) container=$(value "$@"); shift 2 ;;
    --hours) hours=$(value "$@"); shift 2 ;;
    --grant-restore) act+=grant; shift ;;
    --revoke-restore) act+=revoke; shift ;;
    --drill) drill=--drill; shift ;;
    --what-if) WHAT_IF=1; shift ;;
    --help) usage; exit 0 ;;
    *) die "$1 is not known; see --help" ;;
    esac
done
[ -n "$hsm" ] && [ -n "$backup$restore" ] || die "--hsm and --backup or --restore are needed; see --help"
case "${restore:+with} $act" in
' ' | 'with grant' | 'with revoke') ;;
'with ') die "--restore gives no right for good: --grant-restore with --hours, or --revoke-restore; see --help" ;;
*) die "--grant-restore or --revoke-restore, one of them, goes with --restore; see --help" ;;
esac
[ -z "$drill" ] || [ -n "$restore" ] || die "--drill goes with --restore; see --help"
[ -z "$restore" ] || [ -n "$account" ] || die "--account is needed: the end of the right is recorded there; see --help"
[ "$restore" != "$backup" ] || die "one identity that backs up and restores an HSM is not granted here; use two"
if [ "$act" = grant ]; then
    [[ $hours =~ ^[1-9][0-9]{0,2}$ ]] && [ "$hours" -le 168 ] || die "--hours is needed, a number from 1 to 168"
elif [ -n "$hours" ]; then
    die "--hours goes with --grant-restore"
fi
need az

hsm=${hsm,,}
of_restore=('Managed HSM Restore' 'Managed HSM Backup')
[ -z "$drill" ] || of_restore+=('Managed HSM Crypto Auditor')

utc() { TZ=UTC0 printf '%(%Y%m%dT%H%M%SZ)T' "$1"; }

# How often a principal has a role on the whole HSM, which is what a full backup or restore wants.
assigned() {
    local there
    there=$(az keyvault role assignment list --hsm-name "$hsm" --scope / --assignee-object-id "$2" \
        --query "[?roleName=='$1' && scope=='/'] | length(@)" --output tsv) ||
        die "$hsm: not known whether $2 has $1, because the assignments cannot be read"
    [[ $there =~ ^[0-9]+$ ]] || die "$hsm: not known whether $2 has $1: the Azure CLI answers '$there'"
    printf '%s' "$there"
}

# Whether what is there is what is wanted, and known. A change may take a moment to show.
settled() {
    local wanted=$1 role=$2 principal=$3 there try
    for try in 1 2 3 4 5; do
        [ "$try" = 1 ] || sleep 5
        there=$(assigned "$role" "$principal") || return 1
        case $wanted$there in
        yes0) ;;
        yes*) return ;;
        no0) return ;;
        esac
    done
    return 1
}

grant() {
    local role=$1 principal=$2 there said=well
    there=$(assigned "$role" "$principal") || return 1
    if [ "$there" != 0 ]; then
        say "$hsm: $principal has $role already"
        return
    fi
    change az keyvault role assignment create --hsm-name "$hsm" --scope / --role "$role" \
        --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal --output none || said=refused
    [ "$WHAT_IF" = 0 ] || return 0
    settled yes "$role" "$principal" || return 1
    [ "$said" = well ] || say "$hsm: the Azure CLI failed, and the role is there all the same"
    say "$hsm: $principal gets $role"
}

revoke() {
    local role=$1 principal=$2 there
    there=$(assigned "$role" "$principal") || return 1
    if [ "$there" = 0 ]; then
        say "$hsm: $principal does not have $role"
        return
    fi
    change az keyvault role assignment delete --hsm-name "$hsm" --scope / --role "$role" \
        --assignee-object-id "$principal" --output none || say "$hsm: the Azure CLI failed; what counts is what is there"
    [ "$WHAT_IF" = 0 ] || return 0
    settled no "$role" "$principal" || return 1
    say "$hsm: $principal has $role no more"
}

# Recorded among what people decide: the apps can read there and cannot add, so that none can put off its own end.
record() {
    local what=$1 name
    name="attestations/hsm-restore/$hsm/$now.$restore.$what"
    change az storage blob upload --account-name "$account" --container-name "$container" --auth-mode login --name "$name" \
        --data "The right to restore HSM $hsm, of $restore: $what. Recorded at $now by infra/scripts/hsm-roles.sh." \
        --overwrite false --output none || return 1
}

command_for() {
    printf 'infra/scripts/hsm-roles.sh --hsm %s --restore %s --account %s --container %s %s\n' \
        "$hsm" "$restore" "$account" "$container" "$1${drill:+ $drill}"
}

# On record before it takes effect: a right whose end cannot be recorded is not given.
grant_restore() {
    local role end
    end=$(utc $((seconds + hours * 3600)))
    record "until-$end" || die "$hsm: the end cannot be recorded in $account/$container, so nothing is granted"
    for role in "${of_restore[@]}"; do
        grant "$role" "$restore" || die "$hsm: $restore does not get $role, as far as is known. Take away what it may have got:" \
            "$(command_for --revoke-restore)"
    done
    say "$hsm: $restore may restore and wipe it. This does not end by itself: run this when the restore is done, at the"
    say "latest at $end. From then on preflight reports it as an error."
    command_for --revoke-restore
}

revoke_restore() {
    local role left=''
    for role in "${of_restore[@]}"; do
        revoke "$role" "$restore" || left+="${left:+ and }$role"
    done
    [ -z "$left" ] || die "$hsm: $restore still has $left, as far as is known. It is not recorded as revoked; run this again"
    record revoked || die "$hsm: the rights are gone, but that cannot be recorded in $account/$container: run this again, or" \
        "preflight goes on to report them"
}

seconds=$(date +%s)
now=$(utc "$seconds")
if [ -n "$backup" ]; then
    grant 'Managed HSM Backup' "$backup" || die "$hsm: $backup does not get Managed HSM Backup, as far as is known"
fi
case $act in
grant) grant_restore ;;
revoke) revoke_restore ;;
esac

//! Rights that are granted, and rights that are taken away.

use super::{super::Installation, Remedy, account_id, principal, quoted, vault_id};
use crate::domain::{cause::Cause, role::Role};

fn role(name: &str) -> String {
    format!(
        "\"$(az role definition list --custom-role-only --query \"[?starts_with(roleName, '{name}')].name | [0]\" --output tsv)\""
    )
}

/// The remedy of a missing right. A refusal does not show whether the right is missing or too new.
pub fn granted(command: String) -> Remedy {
    Remedy::run([command])
        .and("If that was done within the last ten minutes, wait and check again: rights take that long.")
}

/// Gives the identity the rights of its role in a vault, and no others.
pub fn grant_in_vault(of: &Installation, vault: &str, cause: Cause) -> Remedy {
    granted(rights_in_vault(of, vault, cause))
}

fn rights_in_vault(of: &Installation, vault: &str, cause: Cause) -> String {
    let who = principal(&of.identity);
    let restores = of.role == Role::Restore;
    if cause == Cause::Policy {
        let rights = match of.role {
            Role::Backup => "list backup",
            Role::Restore => "list restore",
            // These need none; this takes what they have.
            Role::Keeper | Role::Page => "",
            Role::All => "list backup restore",
        };
        return format!(
            "az keyvault set-policy --name {vault} --object-id {who} --secret-permissions {rights} --key-permissions {rights} \
             --certificate-permissions {rights}"
        );
    }
    let role = role(if restores { "Key Vault Restore Operator" } else { "Key Vault Backup Operator" });
    format!("az role assignment create --assignee-object-id {who} --role {role} --scope {}", vault_id(vault))
}

/// Gives the identity the right to restore into a vault.
pub fn grant_restore(of: &Installation, vault: &str, cause: Cause) -> Remedy {
    grant_in_vault(
        &Installation { role: if cause == Cause::Policy { of.role } else { Role::Restore }, ..of.clone() },
        vault,
        cause,
    )
}

/// Gives the identity the rights of drills in a vault made for them.
pub fn grant_drill(of: &Installation, vault: &str, cause: Cause) -> Remedy {
    let who = principal(&of.identity);
    if cause == Cause::Policy {
        let rights = "list restore delete purge";
        return granted(format!(
            "az keyvault set-policy --name {vault} --object-id {who} --secret-permissions {rights} --key-permissions {rights} \
             --certificate-permissions {rights}"
        ));
    }
    let role = role("Key Vault Drill Operator");
    granted(format!(
        "az role assignment create --assignee-object-id {who} --role {role} --scope {}",
        vault_id(vault)
    ))
}

/// Finds where a right that is too wide comes from, or takes it away where that is one command.
pub fn narrow_in_vault(of: &Installation, vault: &str, policies: bool) -> Remedy {
    if policies {
        return Remedy::run([rights_in_vault(of, vault, Cause::Policy)]);
    }
    narrow(of, &vault_id(vault)).and("Take away the assignment that is too wide. ID is its id in the list.")
}

/// Gives an identity a role on a container.
pub fn grant_on_container(who: &str, built_in: &str, account: &str, container: &str) -> Remedy {
    let role = match built_in.strip_prefix("custom ") {
        Some(name) => role(name),
        None => quoted(built_in),
    };
    let scope = container_id(account, container);
    granted(format!("az role assignment create --assignee-object-id {who} --role {role} --scope {scope}"))
}

/// Gives the identity a role on an account.
pub fn grant_on_account(of: &Installation, role: &str, account: &str) -> Remedy {
    let (who, role, scope) = (principal(&of.identity), quoted(role), account_id(account));
    granted(format!("az role assignment create --assignee-object-id {who} --role {role} --scope \"{scope}\""))
}

/// Finds where a right on a container comes from.
pub fn narrow_on_container(of: &Installation, account: &str, container: &str) -> Remedy {
    narrow(of, &container_id(account, container)).and(
        "Take away every assignment that allows it but `Key Vault Backup Blob Writer`. ID is its id in the list.",
    )
}

fn narrow(of: &Installation, scope: &str) -> Remedy {
    let who = principal(&of.identity);
    Remedy::run([
        format!(
            "az role assignment list --assignee {who} --scope {scope} --include-inherited --output table"
        ),
        "az role assignment delete --ids ID".to_owned(),
    ])
}

/// A container's resource id. Names of containers need no quotes.
fn container_id(account: &str, container: &str) -> String {
    format!("\"{}/blobServices/default/containers/{container}\"", account_id(account))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::samples::of, tests::assert_has},
        *,
    };

    const ROLES: [Role; 3] = [Role::Backup, Role::Restore, Role::All];

    #[test]
    fn an_app_is_given_what_it_is_there_for_in_that_vault_and_no_more() {
        // The rights of an access policy, the role, and the role for restores.
        let (backups, restores) = ("'Key Vault Backup Operator'", "'Key Vault Restore Operator'");
        let expected =
            [("list backup", backups), ("list restore", restores), ("list backup restore", backups)];
        for (role, (rights, azure_role)) in ROLES.into_iter().zip(expected) {
            let policy = format!(
                "--secret-permissions {rights} --key-permissions {rights} --certificate-permissions {rights}"
            );
            let in_vault = "az keyvault set-policy --name kv-a --object-id WHO";
            for grant in [grant_in_vault, grant_restore] {
                assert_eq!(grant(&of(role), "kv-a", Cause::Policy), granted(format!("{in_vault} {policy}")));
            }
            let scope = "--scope \"$(az keyvault show --name kv-a --query id";
            let create = "az role assignment create --assignee-object-id WHO --role";
            assert_has(&grant_in_vault(&of(role), "kv-a", Cause::Rbac), &[create, scope, azure_role]);
            assert_has(&grant_restore(&of(role), "kv-a", Cause::Rbac), &[create, scope, restores]);
        }
    }

    #[test]
    fn what_is_too_wide_is_narrowed_where_it_comes_from() {
        let policies = narrow_in_vault(&of(Role::Backup), "kv-a", true);
        let whole = Remedy::run([rights_in_vault(&of(Role::Backup), "kv-a", Cause::Policy)]);
        assert_eq!(policies, whole, "a policy is set as a whole");
        let list = "az role assignment list --assignee WHO --scope";
        assert_has(
            &narrow_in_vault(&of(Role::Backup), "kv-a", false),
            &[list, "az keyvault show --name kv-a"],
        );
        assert_has(
            &narrow_on_container(&of(Role::Backup), "store", "c"),
            &[list, "az storage account show --name store", "/containers/c\""],
        );
    }

    #[test]
    fn a_role_in_storage_is_built_in_or_this_projects_own() {
        let of_container = |role| grant_on_container("WHO", role, "store", "c");
        let scope = "--scope \"$(az storage account show --name store --query id --output tsv)";
        let create = "az role assignment create --assignee-object-id WHO --role";
        let custom = "starts_with(roleName, 'Key Vault Backup Blob Writer')";
        assert_has(
            &of_container("custom Key Vault Backup Blob Writer"),
            &[create, scope, custom, "/containers/c\""],
        );
        assert_has(
            &of_container("Storage Blob Data Reader"),
            &[create, scope, "--role 'Storage Blob Data Reader'"],
        );
        let on_account = grant_on_account(&of(Role::Backup), "Storage Queue Data Reader", "store");
        assert_eq!(on_account, granted(format!("{create} 'Storage Queue Data Reader' {scope}\"")));
        assert!(on_account.advice.contains("wait and check again"), "a right may be too new: {on_account}");
    }
}

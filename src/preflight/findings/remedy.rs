//! The commands that fix findings, with the names of this installation.
//!
//! A command queries what the program does not know, such as a vault's resource group. Text from a service goes into
//! a command only if it has the form of an id or an address.

use super::{Identity, Installation};
use crate::domain::cause::Cause;
use crate::domain::outcome::Failure;
use crate::domain::role::Role;

/// The object id of the identity, or a command that finds it.
pub fn principal(identity: &Identity) -> String {
    match identity {
        Identity { object: Some(id), .. } => id.clone(),
        Identity { client: Some(client), .. } => {
            format!("\"$(az ad sp show --id {client} --query id --output tsv)\"")
        }
        Identity { signed_in: true, .. } => {
            "\"$(az ad signed-in-user show --query id --output tsv)\"".to_owned()
        }
        Identity { .. } => "PRINCIPAL_ID".to_owned(),
    }
}

fn role(name: &str) -> String {
    format!(
        "\"$(az role definition list --custom-role-only --query \"[?starts_with(roleName, '{name}')].name | [0]\" --output tsv)\""
    )
}

fn vault_id(vault: &str) -> String {
    format!("\"$(az keyvault show --name {vault} --query id --output tsv)\"")
}

fn account_id(account: &str) -> String {
    format!("$(az storage account show --name {account} --query id --output tsv)")
}

/// Creates a container.
pub fn create_container(account: &str, container: &str) -> String {
    format!("az storage container create --account-name {account} --name {container} --auth-mode login")
}

/// Creates the container at an address, `https://ACCOUNT.blob…/CONTAINER`.
pub fn create_container_at(address: &url::Url) -> String {
    let account = address.host_str().and_then(|host| host.split('.').next()).unwrap_or_default();
    create_container(account, address.path().trim_matches('/'))
}

/// The end of every grant: a refusal does not show whether the right is missing or too new.
pub fn granted(command: &str) -> String {
    format!(
        "{command}; if that was done within the last ten minutes, wait and check again: rights take that long"
    )
}

/// Gives the identity the rights of its role in a vault, and no others.
pub fn grant_in_vault(of: &Installation, vault: &str, cause: Cause) -> String {
    granted(&rights_in_vault(of, vault, cause))
}

fn rights_in_vault(of: &Installation, vault: &str, cause: Cause) -> String {
    let who = principal(&of.identity);
    let restores = of.role == Role::Restore;
    if cause == Cause::Policy {
        let rights = match of.role {
            Role::Backup => "list backup",
            Role::Restore => "list restore",
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
pub fn grant_restore(of: &Installation, vault: &str, cause: Cause) -> String {
    grant_in_vault(
        &Installation { role: if cause == Cause::Policy { of.role } else { Role::Restore }, ..of.clone() },
        vault,
        cause,
    )
}

/// Finds where a right that is too wide comes from, or takes it away where that is one command.
pub fn narrow_in_vault(of: &Installation, vault: &str, policies: bool) -> String {
    if policies {
        return rights_in_vault(of, vault, Cause::Policy);
    }
    let (who, id) = (principal(&of.identity), vault_id(vault));
    format!(
        "az role assignment list --assignee {who} --scope {id} --include-inherited --output table; then take the one that is too \
         wide away: az role assignment delete --ids ID"
    )
}

/// Lets the caller through to a vault.
pub fn open_vault(vault: &str, cause: Cause, failure: &Failure) -> String {
    let tenant = format!("az keyvault show --name {vault} --query properties.tenantId");
    if let Some(remedy) = of_the_way(cause, &tenant) {
        return remedy;
    }
    match cause {
        Cause::Firewall => format!(
            "az keyvault network-rule add --name {vault} --ip-address {}; or deploy infra/ with `network`, for a private endpoint",
            address(failure)
        ),
        Cause::PublicOff => format!(
            "az network private-endpoint-connection list --id {} --output table; approve the one of this app, or deploy infra/ with \
             `network`, which makes one",
            vault_id(vault)
        ),
        _ => format!(
            "az keyvault list --query \"[?name=='{vault}'].properties.vaultUri\" --output tsv; nothing: correct \
             KEYVAULT_BACKUP_VAULTS, or az keyvault recover --name {vault}; a URL: give the app's network a way to it (private \
             DNS zone, proxy)"
        ),
    }
}

/// Lets the caller through to an HSM.
pub fn open_hsm(hsm: &str, cause: Cause, failure: &Failure) -> String {
    let tenant = format!("az keyvault show --hsm-name {hsm} --query properties.tenantId");
    if let Some(remedy) = of_the_way(cause, &tenant) {
        return remedy;
    }
    match cause {
        Cause::Firewall | Cause::PublicOff => format!(
            "az network private-endpoint-connection list --id \"$(az keyvault show --hsm-name {hsm} --query id --output tsv)\" \
             --output table; approve the one of this app, or let {} in where the HSM's networking is set",
            address(failure)
        ),
        _ => format!(
            "az keyvault show --hsm-name {hsm} --query \"[properties.hsmUri, properties.provisioningState, \
             properties.publicNetworkAccess]\"; if there is none, correct KEYVAULT_BACKUP_HSMS"
        ),
    }
}

/// Lets the caller through to a storage account.
pub fn open_account(account: &str, cause: Cause) -> String {
    if let Some(remedy) = of_the_way(cause, "az account list --query \"[].{name:name, tenantId:tenantId}\"") {
        return remedy;
    }
    match cause {
        Cause::Firewall | Cause::PublicOff => format!(
            "az network private-endpoint-connection list --id \"{}\" --output table; approve the one of this app, or deploy infra/ \
             with `network`, which makes one",
            account_id(account)
        ),
        _ => format!(
            "az storage account show --name {account} --query primaryEndpoints.blob --output tsv; if there is none, correct the \
             setting; else give the app's network a way to it"
        ),
    }
}

/// The remedy for a connection that fails before the service. `tenant` is the command that shows the service's tenant.
fn of_the_way(cause: Cause, tenant: &str) -> Option<String> {
    match cause {
        Cause::Untrusted => Some(
            "put the certificate of the authority that signs for your proxy or firewall into a file of certificates, and set \
             SSL_CERT_FILE to it; or have that proxy leave Azure's hosts alone. Names and rights are not the cause"
                .to_owned(),
        ),
        Cause::OtherTenant => Some(format!(
            "az account show --query tenantId; {tenant}; the two have to be the same. At a terminal: az login --tenant TENANT; in \
             Azure: use an identity of the service's tenant (KEYVAULT_BACKUP_CLIENT_ID)"
        )),
        Cause::TokenRefused => Some(
            "read what the service says of the token; set the clock where that is wrong; at a terminal: az account clear, then az login; \
             in Azure: az functionapp restart --name APP --resource-group GROUP"
                .to_owned(),
        ),
        Cause::NoToken => Some(
            "check KEYVAULT_BACKUP_IDENTITY and KEYVAULT_BACKUP_CLIENT_ID; in Azure: az functionapp identity show --name APP \
             --resource-group GROUP; at a terminal: az login"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Gives an identity a role on a container.
pub fn grant_on_container(who: &str, built_in: &str, account: &str, container: &str) -> String {
    let role = match built_in.strip_prefix("custom ") {
        Some(name) => role(name),
        None => format!("'{built_in}'"),
    };
    granted(&format!(
        "az role assignment create --assignee-object-id {who} --role {role} --scope \
         \"{}/blobServices/default/containers/{container}\"",
        account_id(account)
    ))
}

/// Gives the identity a role on an account.
pub fn grant_on_account(of: &Installation, role: &str, account: &str) -> String {
    let who = principal(&of.identity);
    granted(&format!(
        "az role assignment create --assignee-object-id {who} --role '{role}' --scope \"{}\"",
        account_id(account)
    ))
}

/// Finds where a right on a container comes from.
pub fn narrow_on_container(of: &Installation, account: &str, container: &str) -> String {
    let who = principal(&of.identity);
    format!(
        "az role assignment list --assignee {who} --scope \"{}/blobServices/default/containers/{container}\" --include-inherited \
         --output table; leave `Key Vault Backup Blob Writer` alone: az role assignment delete --ids ID",
        account_id(account)
    )
}

/// The address that a firewall named, if it is one: behind its name, or in brackets.
fn address(failure: &Failure) -> String {
    let said = failure.text.split("Client address").skip(1);
    let said =
        said.filter_map(|rest| rest.trim_start_matches([':', '(', ' ']).split([' ', ')', '\r', '\n']).next());
    let mut named = said.filter(|text| text.parse::<std::net::IpAddr>().is_ok());
    named.next().unwrap_or("ADDRESS").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::samples::of, *};

    const ROLES: [Role; 3] = [Role::Backup, Role::Restore, Role::All];

    /// The commands of a remedy, without the words between them.
    fn assert_has(remedy: &str, parts: &[&str]) {
        for part in parts {
            assert!(remedy.contains(part), "no {part} in {remedy}");
        }
    }

    #[test]
    fn only_an_address_goes_into_a_command() {
        let failure = |text: &str| Failure::ours("Forbidden/ForbiddenByFirewall", text);
        let open = |text: &str| open_vault("kv-a", Cause::Firewall, &failure(text));
        assert!(open("Client address: 203.0.113.7\r\nCaller").contains("--ip-address 203.0.113.7;"));
        let twice = "Client address is not authorized.\r\nClient address: 2001:db8::7\r\nCaller";
        assert!(open(twice).contains("--ip-address 2001:db8::7;"));
        let inside =
            failure("Client address (203.0.113.7) is not authorized and caller is not a trusted service.");
        assert!(open_hsm("h", Cause::Firewall, &inside).contains("let 203.0.113.7 in"));
        for text in ["Client address: `reboot`\r\nCaller", "Client address (`reboot`) is not authorized"] {
            assert!(open(text).contains("--ip-address ADDRESS;"), "{text}");
        }
    }

    #[test]
    fn the_identity_is_named_as_well_as_it_is_known() {
        let id = |text: &str| Some(text.to_owned());
        let whole = Identity { client: id("c"), signed_in: true, object: id("o") };
        let table = [
            (whole.clone(), "o"),
            (Identity { object: None, ..whole.clone() }, "az ad sp show --id c"),
            (Identity { object: None, client: None, ..whole }, "az ad signed-in-user show"),
            (Identity::default(), "PRINCIPAL_ID"),
        ];
        for (identity, expected) in table {
            assert_has(&principal(&identity), &[expected]);
        }
    }

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
                assert_eq!(grant(&of(role), "kv-a", Cause::Policy), granted(&format!("{in_vault} {policy}")));
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
        assert_eq!(
            policies,
            rights_in_vault(&of(Role::Backup), "kv-a", Cause::Policy),
            "a policy is set as a whole"
        );
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
    fn a_way_is_opened_where_it_is_closed() {
        let nothing = Failure::ours("code", "");
        let token = "check KEYVAULT_BACKUP_IDENTITY";
        let (trust, read, tenant) =
            ("put the certificate", "read what the service says", "az account show --query tenantId");
        let (rule, endpoint) =
            ("az keyvault network-rule add --name v", "az network private-endpoint-connection list");
        let (vault, hsm, account) =
            ("az keyvault list", "az keyvault show --hsm-name h", "az storage account show --name a");
        let table = [
            (Cause::Firewall, [rule, endpoint, endpoint]),
            (Cause::PublicOff, [endpoint, endpoint, endpoint]),
            (Cause::Untrusted, [trust, trust, trust]),
            (Cause::OtherTenant, [tenant, tenant, tenant]),
            (Cause::TokenRefused, [read, read, read]),
            (Cause::NoToken, [token, token, token]),
            (Cause::HostUnknown, [vault, hsm, account]),
            (Cause::Unreachable, [vault, hsm, account]),
        ];
        for (cause, starts) in table {
            let remedies =
                [open_vault("v", cause, &nothing), open_hsm("h", cause, &nothing), open_account("a", cause)];
            for (remedy, start) in remedies.iter().zip(starts) {
                assert!(remedy.starts_with(start), "{cause:?}: {remedy}");
            }
        }
        assert_has(&open_vault("kv-a", Cause::PublicOff, &nothing), &["az keyvault show --name kv-a"]);
        assert_has(&open_account("store", Cause::Firewall), &["az storage account show --name store"]);
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
        assert_eq!(on_account, granted(&format!("{create} 'Storage Queue Data Reader' {scope}\"")));
        assert!(on_account.contains("wait and check again"), "a right may be too new: {on_account}");
    }
}

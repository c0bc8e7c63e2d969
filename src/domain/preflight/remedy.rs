//! The commands that mend what was found, made for this installation.
//!
//! What the program does not know of its surroundings, such as a vault's resource group, the command looks up.
//! Nothing that a service said goes into a command unless it has the form of an id or an address.

use super::{Identity, Installation, Purpose, cause::Cause};
use crate::domain::outcome::Failure;

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

/// Gives the identity what it is there for in a vault, and nothing else.
pub fn grant_in_vault(of: &Installation, vault: &str, cause: Cause) -> String {
    let who = principal(&of.identity);
    let restores = of.purpose == Purpose::Restore;
    if cause == Cause::Policy {
        let rights = match of.purpose {
            Purpose::Backup => "list backup",
            Purpose::Restore => "list restore",
            Purpose::Both => "list backup restore",
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
        &Installation {
            purpose: if cause == Cause::Policy { of.purpose } else { Purpose::Restore },
            ..of.clone()
        },
        vault,
        cause,
    )
}

/// Finds where a right that is too wide comes from, or takes it away where that is one command.
pub fn narrow_in_vault(of: &Installation, vault: &str, policies: bool) -> String {
    if policies {
        return grant_in_vault(of, vault, Cause::Policy);
    }
    let (who, id) = (principal(&of.identity), vault_id(vault));
    format!(
        "az role assignment list --assignee {who} --scope {id} --include-inherited --output table; then take the one that is too \
         wide away: az role assignment delete --ids ID"
    )
}

/// Lets the caller through to a vault.
pub fn open_vault(vault: &str, cause: Cause, failure: &Failure) -> String {
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
        Cause::NoToken => token(),
        _ => format!(
            "az keyvault list --query \"[?name=='{vault}'].properties.vaultUri\" --output tsv; nothing: correct \
             KEYVAULT_BACKUP_VAULTS, or az keyvault recover --name {vault}; a URL: give the app's network a way to it (private \
             DNS zone, proxy)"
        ),
    }
}

/// Lets the caller through to an HSM.
pub fn open_hsm(hsm: &str, cause: Cause) -> String {
    match cause {
        Cause::NoToken => token(),
        _ => format!(
            "az keyvault show --hsm-name {hsm} --query \"[properties.hsmUri, properties.provisioningState, \
             properties.publicNetworkAccess]\"; if there is none, correct KEYVAULT_BACKUP_HSMS"
        ),
    }
}

/// Lets the caller through to a storage account.
pub fn open_account(account: &str, cause: Cause) -> String {
    match cause {
        Cause::NoToken => token(),
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

fn token() -> String {
    "check KEYVAULT_BACKUP_IDENTITY and KEYVAULT_BACKUP_CLIENT_ID; in Azure: az functionapp identity show --name APP \
     --resource-group GROUP; at a terminal: az login"
        .to_owned()
}

/// Gives an identity a role on a container.
pub fn grant_on_container(who: &str, built_in: &str, account: &str, container: &str) -> String {
    let role = match built_in.strip_prefix("custom ") {
        Some(name) => role(name),
        None => format!("'{built_in}'"),
    };
    format!(
        "az role assignment create --assignee-object-id {who} --role {role} --scope \
         \"{}/blobServices/default/containers/{container}\"",
        account_id(account)
    )
}

/// Gives the identity a role on an account.
pub fn grant_on_account(of: &Installation, role: &str, account: &str) -> String {
    let who = principal(&of.identity);
    format!(
        "az role assignment create --assignee-object-id {who} --role '{role}' --scope \"{}\"",
        account_id(account)
    )
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

/// The address that a firewall named, if it is one.
fn address(failure: &Failure) -> String {
    let named = failure.text.split("Client address: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let named = named.filter(|text| text.parse::<std::net::IpAddr>().is_ok());
    named.unwrap_or("ADDRESS").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_goes_into_a_command() {
        let failure = |text: &str| Failure::ours("Forbidden/ForbiddenByFirewall", text);
        let open = |text: &str| open_vault("kv-a", Cause::Firewall, &failure(text));
        assert!(open("Client address: 203.0.113.7\r\nCaller").contains("--ip-address 203.0.113.7;"));
        assert!(open("Client address: `reboot`\r\nCaller").contains("--ip-address ADDRESS;"));
    }

    #[test]
    fn the_identity_is_named_as_well_as_it_is_known() {
        let id = |text: &str| Some(text.to_owned());
        let mut identity = Identity { client: id("c"), signed_in: false, object: id("o") };
        assert_eq!(principal(&identity), "o");
        identity.object = None;
        assert!(principal(&identity).contains("az ad sp show --id c"));
        assert_eq!(principal(&Identity::default()), "PRINCIPAL_ID");
    }
}

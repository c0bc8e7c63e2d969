//! Ways to a service that are opened.

use super::{Remedy, account_id, quoted, vault_id};
use crate::domain::{cause::Cause, outcome::Failure};

/// Lets the caller through to a vault.
pub fn open_vault(vault: &str, cause: Cause, failure: &Failure) -> Remedy {
    let tenant = format!("az keyvault show --name {vault} --query properties.tenantId");
    if let Some(remedy) = before_the_service(cause, tenant) {
        return remedy;
    }
    match cause {
        Cause::Firewall => Remedy::run([format!(
            "az keyvault network-rule add --name {vault} --ip-address {}",
            address(failure)
        )])
        .and("For a private endpoint instead, deploy infra/ with `network`."),
        Cause::PublicOff => Remedy::run([endpoints(&vault_id(vault))]).and(APPROVE),
        _ => Remedy::run([
            format!("az keyvault list --query \"[?name=='{vault}'].properties.vaultUri\" --output tsv"),
            format!("az keyvault recover --name {vault}"),
        ])
        .and(
            "If the list has the vault's URL, give the app's network a way to it: private DNS zone, proxy. If not, \
             recover the vault, or correct KEYVAULT_BACKUP_VAULTS.",
        ),
    }
}

/// Lets the caller through to an HSM.
pub fn open_hsm(hsm: &str, cause: Cause, failure: &Failure) -> Remedy {
    let tenant = format!("az keyvault show --hsm-name {hsm} --query properties.tenantId");
    if let Some(remedy) = before_the_service(cause, tenant) {
        return remedy;
    }
    match cause {
        Cause::Firewall | Cause::PublicOff => {
            let id = format!("\"$(az keyvault show --hsm-name {hsm} --query id --output tsv)\"");
            Remedy::run([endpoints(&id)]).and(format!(
                "Approve the connection of this app, or let {} in where the HSM's networking is set.",
                address(failure)
            ))
        }
        _ => Remedy::run([format!(
            "az keyvault show --hsm-name {hsm} --query \"[properties.hsmUri, properties.provisioningState, \
             properties.publicNetworkAccess]\""
        )])
        .and(
            "If there is no such HSM, correct KEYVAULT_BACKUP_HSMS. Otherwise give the app's network a way to it.",
        ),
    }
}

/// Lets the caller through to a storage account.
pub fn open_account(account: &str, cause: Cause) -> Remedy {
    let tenant = "az account list --query \"[].{name:name, tenantId:tenantId}\"".to_owned();
    if let Some(remedy) = before_the_service(cause, tenant) {
        return remedy;
    }
    match cause {
        Cause::Firewall | Cause::PublicOff => {
            Remedy::run([endpoints(&format!("\"{}\"", account_id(account)))]).and(APPROVE)
        }
        _ => Remedy::run([format!(
            "az storage account show --name {} --query primaryEndpoints.blob --output tsv",
            quoted(account)
        )])
        .and(
            "If there is no such account, correct the setting. Otherwise give the app's network a way to it.",
        ),
    }
}

const APPROVE: &str = "Approve the connection of this app, or deploy infra/ with `network`, which makes one.";

/// Lists the private endpoints of a resource.
fn endpoints(id: &str) -> String {
    format!("az network private-endpoint-connection list --id {id} --output table")
}

/// The remedy for a connection that fails before the service. `tenant` is the command that shows the service's tenant.
fn before_the_service(cause: Cause, tenant: String) -> Option<Remedy> {
    const LOGIN: &str = "az login";
    Some(match cause {
        Cause::Untrusted => Remedy::advice(
            "Put the certificate of the authority that signs for your proxy or firewall into a file of certificates, and set \
             SSL_CERT_FILE to it; or have that proxy leave Azure's hosts alone. Names and rights are not the cause.",
        ),
        Cause::OtherTenant => Remedy::run([
            "az account show --query tenantId".to_owned(),
            tenant,
            "az login --tenant TENANT".to_owned(),
        ])
        .and(
            "The tenants of the identity and of the service have to be the same. At a terminal, sign in to the service's. In \
             Azure, use an identity of the service's tenant (KEYVAULT_BACKUP_CLIENT_ID).",
        ),
        Cause::TokenRefused => Remedy::run(
            ["az account clear", LOGIN, "az functionapp restart --name APP --resource-group GROUP"]
                .map(str::to_owned),
        )
        .and(
            "Read what the service says of the token, and set the clock if that is wrong. At a terminal, sign in again. In \
             Azure, restart the app.",
        ),
        Cause::NoToken => Remedy::run(
            [LOGIN, "az functionapp identity show --name APP --resource-group GROUP"].map(str::to_owned),
        )
        .and(
            "Check KEYVAULT_BACKUP_IDENTITY and KEYVAULT_BACKUP_CLIENT_ID. At a terminal, sign in. In Azure, see which \
             identities the app has.",
        ),
        _ => return None,
    })
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
    use super::{super::tests::assert_has, *};

    #[test]
    fn only_an_address_goes_into_a_command() {
        let failure = |text: &str| Failure::ours("Forbidden/ForbiddenByFirewall", text);
        let open = |text: &str| open_vault("kv-a", Cause::Firewall, &failure(text)).commands.remove(0);
        assert!(open("Client address: 203.0.113.7\r\nCaller").ends_with("--ip-address 203.0.113.7"));
        let twice = "Client address is not authorized.\r\nClient address: 2001:db8::7\r\nCaller";
        assert!(open(twice).ends_with("--ip-address 2001:db8::7"));
        let inside =
            failure("Client address (203.0.113.7) is not authorized and caller is not a trusted service.");
        assert!(open_hsm("h", Cause::Firewall, &inside).advice.contains("let 203.0.113.7 in"));
        for text in ["Client address: `reboot`\r\nCaller", "Client address (`reboot`) is not authorized"] {
            assert!(open(text).ends_with("--ip-address ADDRESS"), "{text}");
        }
    }

    #[test]
    fn a_way_is_opened_where_it_is_closed() {
        let nothing = Failure::ours("code", "");
        let (sign_in, again) = ("az login", "az account clear");
        let (trust, tenant) = ("Put the certificate", "az account show --query tenantId");
        let (rule, endpoint) =
            ("az keyvault network-rule add --name v", "az network private-endpoint-connection list");
        let (vault, hsm, account) =
            ("az keyvault list", "az keyvault show --hsm-name h", "az storage account show --name a");
        let table = [
            (Cause::Firewall, [rule, endpoint, endpoint]),
            (Cause::PublicOff, [endpoint, endpoint, endpoint]),
            (Cause::Untrusted, [trust, trust, trust]),
            (Cause::OtherTenant, [tenant, tenant, tenant]),
            (Cause::TokenRefused, [again, again, again]),
            (Cause::NoToken, [sign_in, sign_in, sign_in]),
            (Cause::HostUnknown, [vault, hsm, account]),
            (Cause::Unreachable, [vault, hsm, account]),
        ];
        for (cause, starts) in table {
            let remedies =
                [open_vault("v", cause, &nothing), open_hsm("h", cause, &nothing), open_account("a", cause)];
            for (remedy, start) in remedies.iter().zip(starts) {
                let first = remedy.commands.first().unwrap_or(&remedy.advice);
                assert!(first.starts_with(start), "{cause:?}: {remedy}");
            }
        }
        assert_has(&open_vault("kv-a", Cause::PublicOff, &nothing), &["az keyvault show --name kv-a"]);
        assert_has(&open_account("store", Cause::Firewall), &["az storage account show --name store"]);
    }
}

//! What to do about an object that fails, by the code of its failure.

/// The advice for a code. docs/operations.md has the same under `run-not-clean`.
pub(super) fn advice(code: &str) -> &'static str {
    match code {
        "Forbidden" | "ForbiddenByRbac" | "ForbiddenByPolicy" => {
            "Give the app its rights in the vault: deploy vault-access.bicep for it. Rights take minutes to take effect."
        }
        "ForbiddenByFirewall" | "ForbiddenByConnection" => {
            "Let the network of the app in, or approve the private endpoint."
        }
        "TooManyVersions" => {
            "Key Vault cannot back it up, and versions cannot be deleted: move its users to a new name, and accept the failure until then."
        }
        "Throttled" => "The vault throttles: see `throttled` in docs/operations.md.",
        "Deadline" => "Each try took too long: check whether the vault is slow or throttles.",
        "TakenBeforePlanned" => "A clock is wrong. The next run takes a new backup.",
        "InvalidBackupBlob" => {
            "The vault's answer is no whole backup: ask Azure's support, with the request id."
        }
        code if ["Storage/", "Queue/", "Identity/"].iter().any(|own| code.starts_with(own)) => {
            "A service of this program's own refused, and not the vault: `keyvault-backup preflight` says what to fix."
        }
        _ => OTHER,
    }
}

/// The advice for what has none of its own.
const OTHER: &str = "The text is the service's own: see `run-not-clean` in docs/operations.md.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_the_operations_page_explains_has_advice() {
        let page = include_str!("../../../docs/operations.md");
        let (_, table) = page.split_once("| code | do |\n|---|---|\n").unwrap();
        let rows = table
            .lines()
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('|').nth(1).unwrap());
        let codes: Vec<_> =
            rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|code| *code != "show").collect();
        assert!(codes.len() > 8, "{codes:?}");
        let silent: Vec<_> = codes.iter().filter(|code| advice(&code.replace('…', "X")) == OTHER).collect();
        assert!(silent.is_empty(), "{silent:?}");
        assert_eq!(advice("BadParameter"), OTHER);
    }
}

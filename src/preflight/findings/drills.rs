//! Findings about drill vaults: whether they may be drilled in, and with which rights.

use super::{
    Finding, Installation, Report, Severity,
    cause::{Held, words},
    listed, remedy,
    remedy::Remedy,
    vaults::Kinds,
};
use crate::domain::{
    cause::{Came, Cause},
    drill::{MARKER, Seen, Unfit},
    object::ObjectId,
    outcome::Failure,
    source::SourceName,
};

/// The observations of a drill vault.
#[derive(Clone, Debug)]
pub struct DrillVaultSeen {
    /// The vault.
    pub name: SourceName,
    /// What it holds.
    pub seen: Result<Seen, Came>,
    /// Names that a drill under way has on record there.
    pub names: Vec<ObjectId>,
    /// Restoring what is no backup.
    pub restores: Kinds,
    /// Deleting what cannot exist.
    pub deletes: Kinds,
    /// Purging what cannot exist.
    pub purges: Kinds,
}

const WHY: &str = "Whether backups restore, and how fast, is not rehearsed.";

/// Judges a drill vault.
pub fn judge(vault: &DrillVaultSeen, of: &Installation, report: &mut Report) {
    let name = vault.name.as_str();
    match &vault.seen {
        Ok(seen) => match seen.fit(&vault.names) {
            Ok(()) => report.well(name, "drill in it", "it is declared, and empty but for the marker"),
            Err(unfit) => report.findings.push(unfit_vault(name, &unfit)),
        },
        Err(came) => match (came.held(), came.cause().and_then(Cause::closed_name), came.refusal()) {
            (_, Some(closed), Some((cause, failure))) => {
                let remedy = remedy::open_vault(name, cause, failure);
                report.findings.push(finding(closed, name, words(failure), remedy));
                return;
            }
            (Held::No(cause, failure), ..) => {
                report.findings.push(missing(name, of, "list what is there", cause, &failure));
            }
            (Held::Unknown(why), ..) => report.unknown(name, "drill in it", why),
            (Held::Yes, ..) => {
                report.unknown(name, "drill in it", "it answers, and its lists cannot be read");
            }
        },
    }
    for (what, kinds) in [("restore", &vault.restores), ("delete", &vault.deletes), ("purge", &vault.purges)]
    {
        right(name, of, report, what, kinds);
    }
}

fn finding(name: &'static str, vault: &str, seen: String, remedy: Remedy) -> Finding {
    Finding { name, severity: Severity::Warning, subject: vault.to_owned(), seen, why: WHY, remedy }
}

fn unfit_vault(vault: &str, unfit: &Unfit) -> Finding {
    let (name, remedy) = match unfit {
        Unfit::NoMarker => (
            "drill-vault-undeclared",
            Remedy::run([format!("az keyvault secret set --vault-name {vault} --name {MARKER} --value declared")])
                .and("Only if it is a vault for drills and nothing else: what drills restore there is deleted and purged."),
        ),
        Unfit::PurgeProtected => (
            "drill-vault-unpurgeable",
            Remedy::advice("Purge protection cannot be switched off: make another vault for drills, without it."),
        ),
        Unfit::NotEmpty(_) => (
            "drill-vault-not-empty",
            Remedy::advice("See whose it is. What a failed drill left, the next one removes; anything else is never touched."),
        ),
    };
    finding(name, vault, unfit.why().text, remedy)
}

fn missing(vault: &str, of: &Installation, what: &str, cause: Cause, failure: &Failure) -> Finding {
    let seen = format!("the identity cannot {what}: {}", words(failure));
    finding("cannot-drill", vault, seen, remedy::grant_drill(of, vault, cause))
}

fn right(vault: &str, of: &Installation, report: &mut Report, what: &str, tried: &Kinds) {
    let (mut held, mut lacking, mut refusal) = (Vec::new(), Vec::new(), None);
    for (kind, came) in tried {
        match came.held() {
            Held::Yes => held.push(format!("{kind}s")),
            Held::No(cause, failure) => {
                lacking.push(format!("{kind}s"));
                refusal = Some((cause, failure));
            }
            Held::Unknown(why) => report.unknown(vault, format!("{what} {kind}s"), why),
        }
    }
    if !held.is_empty() {
        report.well(vault, format!("{what} {}", listed(&held)), "it can");
    }
    if let Some((cause, failure)) = refusal {
        report.findings.push(missing(vault, of, &format!("{what} {}", listed(&lacking)), cause, &failure));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{judged, of, refused},
        *,
    };
    use crate::domain::{object::ObjectKind, role::Role, samples::secret};

    fn each(came: &Came) -> Kinds {
        ObjectKind::ALL.map(|kind| (kind, came.clone())).into()
    }

    fn fit() -> DrillVaultSeen {
        let (gone, bad) = (refused(Cause::NotFound), refused(Cause::Malformed));
        DrillVaultSeen {
            name: "kv-drill".parse().unwrap(),
            seen: Ok(Seen { marker: true, purgeable: true, ..Seen::default() }),
            names: Vec::new(),
            restores: each(&bad),
            deletes: each(&gone),
            purges: each(&gone),
        }
    }

    fn lines(seen: &DrillVaultSeen) -> Vec<String> {
        judged(|report| judge(seen, &of(Role::Keeper), report)).1
    }

    #[test]
    fn a_declared_empty_vault_with_the_rights_of_drills_is_well() {
        let all = "certificates, keys and secrets: it can";
        let well = ["restore", "delete", "purge"].map(|what| format!("well {what} {all}"));
        let first = "well drill in it: it is declared, and empty but for the marker".to_owned();
        assert_eq!(lines(&fit()), [vec![first], well.to_vec()].concat());
    }

    #[test]
    fn what_keeps_drills_from_a_vault_is_a_warning_of_its_own() {
        let seen = |change: fn(&mut Seen)| {
            let mut vault = fit();
            change(vault.seen.as_mut().unwrap());
            vault
        };
        let no = refused(Cause::Rbac);
        let left = seen(|of| assert!(of.live.insert(secret("db"))));
        for (vault, expected) in [
            (seen(|of| of.marker = false), "warning drill-vault-undeclared"),
            (seen(|of| of.purgeable = false), "warning drill-vault-unpurgeable"),
            (left.clone(), "warning drill-vault-not-empty"),
            (
                DrillVaultSeen { names: vec![secret("db")], ..left },
                "well drill in it: it is declared, and empty but for the marker",
            ),
            (DrillVaultSeen { seen: Err(no.clone()), ..fit() }, "warning cannot-drill"),
            (DrillVaultSeen { purges: each(&no), ..fit() }, "warning cannot-drill"),
            (
                DrillVaultSeen { purges: each(&refused(Cause::PurgeProtected)), ..fit() },
                "warning cannot-drill",
            ),
            (DrillVaultSeen { seen: Err(refused(Cause::Firewall)), ..fit() }, "warning network-closed"),
            (
                DrillVaultSeen { seen: Err(Came::Late(25)), ..fit() },
                "unknown drill in it: no answer within 25 s",
            ),
        ] {
            assert_eq!(lines(&vault)[0], expected);
        }
        let (report, _) = judged(|report| {
            judge(&DrillVaultSeen { deletes: each(&no), ..fit() }, &of(Role::Keeper), report);
        });
        let found = &report.findings[0];
        assert!(
            found.seen.starts_with("the identity cannot delete certificates, keys and secrets"),
            "{found:?}"
        );
        assert!(found.remedy.to_string().contains("Key Vault Drill Operator"), "{found:?}");
    }
}

//! Findings about what guards the HTTP functions.

use super::{Finding, Report, Severity, listed, remedy::Remedy};

/// The observations of the settings that guard the HTTP functions.
#[derive(Clone, Debug, Default)]
pub struct GuardsSeen {
    /// Whether the platform's authentication is on; `None` if this process serves no HTTP.
    pub platform_auth: Option<bool>,
    /// Whether this process serves HTTP and it is not set what has to guard that.
    pub authentication_unset: bool,
    /// The configured targets, if this process serves restores and every source may go into each of them.
    pub open_targets: Vec<String>,
}

/// Judges the settings that guard the HTTP functions.
pub(super) fn judge_settings(seen: &GuardsSeen, report: &mut Report) {
    if seen.authentication_unset {
        report.findings.push(Finding {
            name: "authentication-unset",
            severity: Severity::Warning,
            subject: "KEYVAULT_BACKUP_AUTHENTICATION".to_owned(),
            seen: "it is not set, and counts as `keys`".to_owned(),
            why: "If the platform's authentication is ever off, function keys alone open the HTTP functions.",
            remedy: set("KEYVAULT_BACKUP_AUTHENTICATION=required").and(
                "Deploy infra/, which sets it. By hand: `required` where callers sign in with Microsoft Entra ID, `keys` \
                 where function keys are meant to be enough.",
            ),
        });
    }
    if seen.open_targets.len() > 1 {
        report.findings.push(Finding {
            name: "restore-pairs-unset",
            severity: Severity::Warning,
            subject: "KEYVAULT_BACKUP_RESTORE_PAIRS".to_owned(),
            seen: format!("it is not set: every source may be restored into {}", listed(&seen.open_targets)),
            why: "A caller who may restore can bring the secrets of one vault into another, where others read them.",
            remedy: set("KEYVAULT_BACKUP_RESTORE_PAIRS='SOURCE=TARGET SOURCE=TARGET'").and(
                "Deploy infra/, which sets it from `restore.targetVaults` and their `from`.",
            ),
        });
    }
    if seen.platform_auth == Some(false) {
        report.findings.push(Finding {
            name: "platform-auth-off",
            severity: Severity::Info,
            subject: "WEBSITE_AUTH_ENABLED".to_owned(),
            seen: "the platform's authentication is off".to_owned(),
            why: "Function keys alone guard the HTTP functions, and requests do not name a person.",
            remedy: Remedy::run(["infra/scripts/app-registration.sh --environment ENV".to_owned()])
                .and("Then deploy infra/ with `authentication`."),
        });
    }
}

/// Judges which apps, by their roles, refuse every caller because the authentication that they require is not on.
pub fn judge_refusing(roles: &Result<Vec<String>, String>, report: &mut Report) {
    const SUBJECT: &str = "callers";
    const WHAT: &str = "authentication";
    let roles = match roles {
        Ok(roles) => roles,
        Err(why) => return report.unknown(SUBJECT, WHAT, why.as_str()),
    };
    if roles.is_empty() {
        report.well(SUBJECT, WHAT, "no app says that it refuses every caller");
    }
    report.findings.extend(roles.iter().map(|role| {
        Finding {
            name: "authentication-missing",
            severity: Severity::Error,
            subject: format!("the app of the role {role}"),
            seen: "it requires the platform's authentication, which is not on".to_owned(),
            why: "Every HTTP call but that for health is refused, with 503.",
            remedy: Remedy::run(["infra/scripts/app-registration.sh --environment ENV".to_owned()])
                .and("Deploy infra/ with `authentication`: it turns the platform's authentication on."),
        }
    }));
}

/// A command that changes a setting of the app.
fn set(setting: &str) -> Remedy {
    Remedy::run([format!(
        "az functionapp config appsettings set --name APP --resource-group GROUP --settings {setting}"
    )])
}

#[cfg(test)]
mod tests {
    use super::{super::samples::judged, *};

    #[test]
    fn an_app_that_refuses_every_caller_is_named() {
        for (seen, expected) in [
            (Ok(vec!["restore".to_owned()]), "error authentication-missing"),
            (Ok(Vec::new()), "well authentication: no app says that it refuses every caller"),
            (Err("no answer".to_owned()), "unknown authentication: no answer"),
        ] {
            let (report, lines) = judged(|report| judge_refusing(&seen, report));
            assert_eq!(lines, [expected]);
            for found in report.findings {
                assert_eq!(found.subject, "the app of the role restore");
            }
        }
    }
}

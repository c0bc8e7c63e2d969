//! Settings, clocks, and how old the newest backups are.

use time::{Duration, OffsetDateTime};

use super::{Finding, MACHINE, Report, SETTINGS, Severity};
use crate::domain::versions::VERSIONS_LIMIT;

/// How far clocks may be apart. Tokens and signatures are refused a few minutes later.
const MOST_SKEW: Duration = Duration::minutes(5);

/// Objects that are named in a finding.
const NAMED: usize = 10;

/// What the catalogue says of a source.
#[derive(Clone, Debug)]
pub struct AgeSeen {
    /// The vault or HSM.
    pub source: String,
    /// The address of a vault; an HSM has none here.
    pub vault: Option<String>,
    /// When the newest backup that covers it was planned.
    pub newest: Option<OffsetDateTime>,
    /// Objects with many versions, and how many they had at their newest backup.
    pub versions: Vec<(String, u32)>,
    /// Objects that have more versions than Key Vault backs up.
    pub over: Vec<String>,
}

/// A source whose catalogue could not be read, and why.
pub type Unread = (String, String);

/// Judges the age of a source's backups, and how near its objects are to what Key Vault refuses.
pub fn judge_age(
    seen: &Result<AgeSeen, Unread>,
    interval: Duration,
    now: OffsetDateTime,
    report: &mut Report,
) {
    let seen = match seen {
        Ok(seen) => seen,
        Err((source, why)) => return report.unknown(source, "newest backup", why.as_str()),
    };
    match seen.newest.map(|at| now - at) {
        None => report.findings.push(late(seen, "never-backed-up", "no backup covers it yet".to_owned())),
        Some(age) if age > interval => {
            let (hours, most) = (age.whole_hours(), interval.whole_hours());
            let text = format!("the newest backup that covers it is {hours} hours old; {most} are allowed");
            report.findings.push(late(seen, "overdue", text));
        }
        Some(age) => {
            report.well(&seen.source, "newest backup", format!("{} hours old", age.whole_hours().max(0)));
        }
    }
    many_versions(seen, report);
}

fn late(seen: &AgeSeen, name: &'static str, text: String) -> Finding {
    let remedy = match &seen.vault {
        Some(url) => format!("keyvault-backup backup --vault {url}"),
        None => "keyvault-backup jobs; then see `hsm-not-backed-up` in docs/operations.md".to_owned(),
    };
    Finding {
        name,
        severity: Severity::Error,
        subject: seen.source.clone(),
        seen: text,
        why: "What was made or changed since then may be lost when the source is.",
        remedy,
    }
}

fn many_versions(seen: &AgeSeen, report: &mut Report) {
    let remedy = |name: &str| {
        format!("versions cannot be deleted: make a new object, move its users there, and then delete {name}")
    };
    let first_of = |count: usize, some: Vec<String>| {
        let rest = count.saturating_sub(NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{}{more}", some.join(", "))
    };
    if let Some(first) = seen.over.first() {
        let names = seen.over.iter().take(NAMED).cloned().collect();
        report.findings.push(Finding {
            name: "versions-over-limit",
            severity: Severity::Error,
            subject: seen.source.clone(),
            seen: format!("more than {VERSIONS_LIMIT} versions: {}", first_of(seen.over.len(), names)),
            why: "Key Vault does not back them up, and never will again.",
            remedy: remedy(first),
        });
    }
    if let Some((first, _)) = seen.versions.first() {
        let names =
            seen.versions.iter().take(NAMED).map(|(name, count)| format!("{name} ({count})")).collect();
        report.findings.push(Finding {
            name: "versions-near-limit",
            severity: Severity::Warning,
            subject: seen.source.clone(),
            seen: format!("near {VERSIONS_LIMIT} versions: {}", first_of(seen.versions.len(), names)),
            why: "Above the limit Key Vault does not back them up any more.",
            remedy: remedy(first),
        });
    }
}

/// Judges clocks: how far each host's is ahead of this machine's.
pub fn judge_clocks(ahead: &[(String, Duration)], report: &mut Report) {
    const WHAT: &str = "clock";
    let Some((host, by)) = ahead.iter().max_by_key(|(_, by)| by.abs()) else {
        return report.unknown(MACHINE, WHAT, "no service said what time it is");
    };
    let seconds = by.whole_seconds();
    if by.abs() <= MOST_SKEW {
        report.well(MACHINE, WHAT, format!("at most {} s from the services'", seconds.abs()));
        return;
    }
    let way = if seconds > 0 { "behind" } else { "ahead of" };
    report.findings.push(Finding {
        name: "clock-skew",
        severity: Severity::Warning,
        subject: MACHINE.to_owned(),
        seen: format!("its clock is {} s {way} that of {host}", seconds.abs()),
        why: "Tokens are refused or used after their end, and ages of backups are wrong.",
        remedy: "at a terminal: timedatectl set-ntp true; in Azure: az functionapp restart --name APP --resource-group GROUP"
            .to_owned(),
    });
}

/// What the settings say.
#[derive(Clone, Debug, Default)]
pub struct SettingsSeen {
    /// The settings that hold a SAS token.
    pub sas: Vec<&'static str>,
    /// Names that are both a vault's and an HSM's.
    pub twice: Vec<String>,
    /// Pairs of settings that name the same container.
    pub shared: Vec<(&'static str, &'static str)>,
    /// Whether the platform's authentication is on; `None` where nothing is served.
    pub platform_auth: Option<bool>,
}

/// Judges the settings.
pub fn judge_settings(seen: &SettingsSeen, report: &mut Report) {
    let found = report.findings.len();
    for name in &seen.sas {
        report.findings.push(Finding {
            name: "sas-in-use",
            severity: Severity::Warning,
            subject: (*name).to_owned(),
            seen: "it holds a SAS token".to_owned(),
            why: "SAS tokens are deprecated: whoever reads the settings has the container, and when the token ends so do the backups.",
            remedy: "infra/scripts/hsm-attach.sh --hsm HSM --identity ID; then take the setting away".to_owned(),
        });
    }
    for name in &seen.twice {
        report.findings.push(Finding {
            name: "source-twice",
            severity: Severity::Warning,
            subject: name.clone(),
            seen: "it is the name of a vault and of an HSM".to_owned(),
            why: "Reports and alerts by name do not tell the two apart.",
            remedy: format!("use an app of its own for {name}: take it out of KEYVAULT_BACKUP_VAULTS or KEYVAULT_BACKUP_HSMS here"),
        });
    }
    for (one, other) in &seen.shared {
        report.findings.push(Finding {
            name: "container-shared",
            severity: Severity::Error,
            subject: (*one).to_owned(),
            seen: format!("it names the same container as {other}"),
            why: "Backups want write protection, jobs want to be deleted, and HSMs refuse protected containers.",
            remedy: format!("make a container of its own in another account, and set {one} to its URL"),
        });
    }
    if seen.platform_auth == Some(false) {
        report.findings.push(open_door());
    }
    if report.findings.len() == found {
        report.well(SETTINGS, SETTINGS, "each source once, no SAS tokens, containers apart");
    }
}

fn open_door() -> Finding {
    Finding {
        name: "platform-auth-off",
        severity: Severity::Info,
        subject: "WEBSITE_AUTH_ENABLED".to_owned(),
        seen: "the platform's authentication is off".to_owned(),
        why: "Function keys alone guard the HTTP functions, and nobody's name is on a request.",
        remedy:
            "infra/scripts/app-registration.sh --environment ENV, then deploy infra/ with `authentication`"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn names(judge: impl FnOnce(&mut Report)) -> Vec<&'static str> {
        let mut report = Report::default();
        judge(&mut report);
        report.findings.iter().map(|finding| finding.name).collect()
    }

    fn seen(newest: Option<OffsetDateTime>) -> AgeSeen {
        let vault = Some("https://kv-a.vault.azure.net".to_owned());
        AgeSeen { source: "kv-a".to_owned(), vault, newest, versions: Vec::new(), over: Vec::new() }
    }

    #[test]
    fn what_is_old_is_overdue_and_what_cannot_be_read_is_unknown() {
        let hours = |hours| Ok(seen(Some(NOW - Duration::hours(hours))));
        let limit = Duration::hours(26);
        let judged = |seen| names(|report| judge_age(&seen, limit, NOW, report));
        assert!(judged(hours(26)).is_empty());
        assert_eq!(judged(hours(27)), ["overdue"]);
        assert_eq!(judged(Ok(seen(None))), ["never-backed-up"]);
        assert!(judged(Err(("kv-a".to_owned(), "damaged".to_owned()))).is_empty());
    }

    #[test]
    fn many_versions_are_named_up_to_ten() {
        let versions = (0..12).map(|number| (format!("secret s{number}"), 400)).collect();
        let mut report = Report::default();
        let over = vec!["secret old".to_owned()];
        judge_age(&Ok(AgeSeen { versions, over, ..seen(Some(NOW)) }), Duration::HOUR, NOW, &mut report);
        assert_eq!(report.findings[0].name, "versions-over-limit");
        assert!(report.findings[1].seen.ends_with("secret s9 (400) and 2 more"), "{report:?}");
    }

    #[test]
    fn clocks_may_be_five_minutes_apart() {
        let clock = |seconds| vec![("host".to_owned(), Duration::seconds(seconds))];
        let judged = |seconds| names(|report| judge_clocks(&clock(seconds), report));
        assert!(judged(-300).is_empty());
        assert_eq!((judged(301), judged(-301)), (vec!["clock-skew"], vec!["clock-skew"]));
    }

    #[test]
    fn settings_that_are_well_are_said_to_be() {
        let judged = |seen: SettingsSeen| names(|report| judge_settings(&seen, report));
        assert!(judged(SettingsSeen::default()).is_empty());
        assert_eq!(
            judged(SettingsSeen { platform_auth: Some(false), ..Default::default() }),
            ["platform-auth-off"]
        );
    }
}

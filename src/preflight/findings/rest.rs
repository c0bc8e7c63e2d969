//! Findings about settings, clocks, callers, and the age of the newest backups.

use time::{Duration, OffsetDateTime};

use super::{Finding, MACHINE, Report, SETTINGS, Severity};
use crate::domain::{bound::AtBound, form::Clear, versions::VERSIONS_LIMIT};

/// How far clocks may be apart. Tokens and signatures are refused a few minutes later.
const MOST_SKEW: Duration = Duration::minutes(5);

/// Objects that are named in a finding.
const NAMED: usize = 10;

/// The observations of a source in the catalogue.
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
    /// Objects that have more versions than Key Vault backs up, without those that are accepted.
    pub over: Vec<String>,
    /// The losses that are not acknowledged: the run that found each, and its description.
    pub losses: Vec<(String, String)>,
    /// The move of the vault, if it is not acknowledged: the run that found it, and its description.
    pub moved: Option<(String, String)>,
    /// Objects whose failure a person has accepted, and until when.
    pub accepted: Vec<(String, OffsetDateTime)>,
    /// Objects whose newest backup has an unknown form, and the part of it that may be shown.
    pub unknown_forms: Vec<(String, Clear)>,
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
    lost(seen, report);
    moved(seen, report);
    many_versions(seen, report);
    unknown_forms(seen, report);
    accepted(seen, report);
}

fn lost(seen: &AgeSeen, report: &mut Report) {
    let vault = seen.vault.as_deref().unwrap_or("URL");
    for (run, words) in &seen.losses {
        report.findings.push(Finding {
            name: "many-objects-gone",
            severity: Severity::Error,
            subject: seen.source.clone(),
            seen: words.clone(),
            why: "No person has acknowledged that they were to go. Their backups are kept; applications may miss them.",
            remedy: format!(
                "keyvault-backup show {run} --vault {vault} --all; restore what is missed, or: keyvault-backup acknowledge \
                 --vault {vault} --run {run} --reason TEXT"
            ),
        });
    }
}

fn moved(seen: &AgeSeen, report: &mut Report) {
    let vault = seen.vault.as_deref().unwrap_or("URL");
    let Some((run, words)) = &seen.moved else { return };
    report.findings.push(Finding {
        name: "vault-moved",
        severity: Severity::Warning,
        subject: seen.source.clone(),
        seen: words.clone(),
        why: "Key Vault opens a backup only in the subscription and geography that it comes from.",
        remedy: format!(
            "keyvault-backup acknowledge --vault {vault} --run {run} --reason TEXT; or, where the setting is wrong, correct \
             KEYVAULT_BACKUP_PLACES first"
        ),
    });
}

fn unknown_forms(seen: &AgeSeen, report: &mut Report) {
    let Some((first, clear)) = seen.unknown_forms.first() else { return };
    let names = seen.unknown_forms.iter().map(|(name, _)| name.clone());
    let vault = seen.vault.as_deref().unwrap_or("URL");
    report.findings.push(Finding {
        name: "backup-form-unknown",
        severity: Severity::Warning,
        subject: seen.source.clone(),
        seen: format!("backups of a form that this program does not know: {}; the first has {clear}", first_of(names)),
        why: "They are stored as the service handed them out. Only the service can tell whether they are whole, and nothing \
              is purged in favour of one.",
        remedy: format!(
            "install the newest version: from the next night on it takes backups that it can judge. To be sure until then, \
             restore into a vault for tests in the same subscription and geography: keyvault-backup restore --vault {vault} \
             --{first} --into URL"
        ),
    });
}

/// Reports accepted failures, with the first date on which an acceptance ends.
fn accepted(seen: &AgeSeen, report: &mut Report) {
    let Some(first) = seen.accepted.iter().map(|(_, until)| until).min() else { return };
    let names = seen.accepted.iter().map(|(name, _)| name.clone());
    report.findings.push(Finding {
        name: "failures-accepted",
        severity: Severity::Info,
        subject: seen.source.clone(),
        seen: format!("not backed up, as a person accepted: {}; the first until {}", first_of(names), first.date()),
        why: "They have no new backup. When one fails for another reason, or its time is over, it is a failure again.",
        remedy: "keyvault-backup accept list".to_owned(),
    });
}

/// The first of several, and how many there are beside them.
fn first_of(names: impl ExactSizeIterator<Item = String>) -> String {
    let rest = names.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", names.take(NAMED).collect::<Vec<_>>().join(", "))
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
        why: "If the source is lost, so is everything that was created or changed since then.",
        remedy,
    }
}

fn many_versions(seen: &AgeSeen, report: &mut Report) {
    let remedy = |name: &str| {
        format!("versions cannot be deleted: make a new object, move its users there, and then delete {name}")
    };
    if let Some(first) = seen.over.first() {
        report.findings.push(Finding {
            name: "versions-over-limit",
            severity: Severity::Error,
            subject: seen.source.clone(),
            seen: format!("more than {VERSIONS_LIMIT} versions: {}", first_of(seen.over.iter().cloned())),
            why: "Key Vault does not back them up, and never will again.",
            remedy: format!("{}; until then: {}", remedy(first), accept(seen, first)),
        });
    }
    if let Some((first, _)) = seen.versions.first() {
        let names = seen.versions.iter().map(|(name, count)| format!("{name} ({count})"));
        report.findings.push(Finding {
            name: "versions-near-limit",
            severity: Severity::Warning,
            subject: seen.source.clone(),
            seen: format!("near {VERSIONS_LIMIT} versions: {}", first_of(names)),
            why: "Above the limit Key Vault does not back them up any more.",
            remedy: remedy(first),
        });
    }
}

/// The command that accepts that an object fails.
fn accept(seen: &AgeSeen, object: &str) -> String {
    let vault = seen.vault.as_deref().unwrap_or("URL");
    format!("keyvault-backup accept --vault {vault} --{object} --reason TEXT --until DATE")
}

/// Judges which callers have as many open jobs as are allowed.
pub fn judge_callers(met: &Result<Vec<AtBound>, String>, report: &mut Report) {
    const CALLERS: &str = "callers";
    let met = match met {
        Ok(met) => met,
        Err(why) => return report.unknown(CALLERS, "open jobs", why.as_str()),
    };
    if met.is_empty() {
        report.well(CALLERS, "open jobs", "no caller has as many as are allowed");
    }
    report.findings.extend(met.iter().map(|of| Finding {
        name: "too-many-open",
        severity: Severity::Warning,
        subject: of.by.to_string(),
        seen: format!("{} open {}, and {} are allowed", of.open, of.what(), of.most),
        why: "Until some of them have ended, this caller is refused. Others are not.",
        remedy: format!("keyvault-backup jobs; if it should have more, raise {}", of.setting()),
    }));
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
    let way = if by.is_positive() { "behind" } else { "ahead of" };
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

/// The observations of the settings.
#[derive(Clone, Debug, Default)]
pub struct SettingsSeen {
    /// The settings that hold a SAS token.
    pub sas: Vec<&'static str>,
    /// Names that are both a vault's and an HSM's.
    pub twice: Vec<String>,
    /// Pairs of settings that name the same container.
    pub shared: Vec<(&'static str, &'static str)>,
    /// Schedules whose occurrences are not known, and why.
    pub unclear: Vec<(&'static str, String)>,
    /// Whether the platform's authentication is on; `None` if this process serves no HTTP.
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
            why: "SAS tokens are deprecated: every reader of the settings can use the container, and backups end when \
                  the token expires.",
            remedy: "infra/scripts/hsm-attach.sh --hsm HSM --identity ID; then remove the setting".to_owned(),
        });
    }
    for name in &seen.twice {
        report.findings.push(Finding {
            name: "source-twice",
            severity: Severity::Warning,
            subject: name.clone(),
            seen: "it is the name of a vault and of an HSM".to_owned(),
            why: "Reports and alerts go by name and cannot distinguish the two.",
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
    for (name, why) in &seen.unclear {
        report.findings.push(Finding {
            name: "schedule-unclear",
            severity: Severity::Warning,
            subject: (*name).to_owned(),
            seen: why.clone(),
            why: "A night that its timer misses, as in an outage, is not begun later: when it was due is not known.",
            remedy: format!("set {name} to six fields in UTC, such as `0 0 2 * * *`, and no time zone"),
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
        why: "Function keys alone guard the HTTP functions, and requests do not name a person.",
        remedy:
            "infra/scripts/app-registration.sh --environment ENV, then deploy infra/ with `authentication`"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::samples::judged, *};
    use crate::domain::{actor::Actor, right::Right};

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn seen(newest: Option<OffsetDateTime>) -> AgeSeen {
        let vault = Some("https://kv-a.vault.azure.net".to_owned());
        AgeSeen {
            source: "kv-a".to_owned(),
            vault,
            newest,
            versions: Vec::new(),
            over: Vec::new(),
            losses: Vec::new(),
            moved: None,
            accepted: Vec::new(),
            unknown_forms: Vec::new(),
        }
    }

    #[test]
    fn what_is_old_is_overdue_and_what_cannot_be_read_is_unknown() {
        let (hours, limit) = (Duration::hours, Duration::hours(26));
        let aged = |age| Ok(seen(Some(NOW - age)));
        let table = [
            (aged(hours(2)), "well newest backup: 2 hours old"),
            (aged(-hours(1)), "well newest backup: 0 hours old"), // as another clock says
            (aged(limit), "well newest backup: 26 hours old"),
            (aged(limit + Duration::SECOND), "error overdue"),
            (Ok(seen(None)), "error never-backed-up"),
            (Err(("kv-a".to_owned(), "damaged".to_owned())), "unknown newest backup: damaged"),
        ];
        for (seen, expected) in table {
            let (_, lines) = judged(|report| judge_age(&seen, limit, NOW, report));
            assert_eq!(lines, [expected], "{seen:?}");
        }
    }

    #[test]
    fn a_source_that_is_late_is_backed_up_or_looked_at() {
        let remedy = |vault: Option<&str>| {
            let seen = Ok(AgeSeen { vault: vault.map(str::to_owned), ..seen(None) });
            judged(|report| judge_age(&seen, Duration::DAY, NOW, report)).0.findings.remove(0).remedy
        };
        assert_eq!(remedy(Some("URL")), "keyvault-backup backup --vault URL");
        assert!(remedy(None).starts_with("keyvault-backup jobs"), "an HSM");
    }

    #[test]
    fn a_form_that_is_not_known_is_a_warning_with_a_sample() {
        let clear = Clear { tag: Some("KeyVaultV2".into()), header: vec!["alg".into()] };
        let unknown_forms = vec![("secret db".to_owned(), clear.clone()), ("key k".to_owned(), clear)];
        let mut report = Report::default();
        judge_age(&Ok(AgeSeen { unknown_forms, ..seen(Some(NOW)) }), Duration::HOUR, NOW, &mut report);
        let found = &report.findings[0];
        assert_eq!((found.name, found.severity), ("backup-form-unknown", Severity::Warning));
        assert!(
            found.seen.ends_with("secret db, key k; the first has tag KeyVaultV2, header name alg"),
            "{found:?}"
        );
        assert!(found.remedy.contains("--secret db --into URL"), "{found:?}");
    }

    #[test]
    fn many_versions_are_named_up_to_ten() {
        let versions = (0..12).map(|number| (format!("secret s{number}"), 400)).collect();
        let mut report = Report::default();
        let over = vec!["secret old".to_owned()];
        judge_age(&Ok(AgeSeen { versions, over, ..seen(Some(NOW)) }), Duration::HOUR, NOW, &mut report);
        assert_eq!(report.findings[0].name, "versions-over-limit");
        assert!(report.findings[1].seen.ends_with("secret s9 (400) and 2 more"), "{report:?}");
        let ten = |count| first_of((0..count).map(|number| format!("s{number}")));
        assert!(ten(10).ends_with(", s9") && ten(11).ends_with(", s9 and 1 more"));
        let words = "keyvault-backup accept --vault https://kv-a.vault.azure.net --secret old --reason";
        assert!(report.findings[0].remedy.contains(words), "{report:?}");
    }

    #[test]
    fn a_loss_is_a_fault_until_it_is_acknowledged() {
        let losses = vec![("20261122T020000Z-nightly".to_owned(), "5 of 5 gone".to_owned())];
        let mut report = Report::default();
        judge_age(&Ok(AgeSeen { losses, ..seen(Some(NOW)) }), Duration::HOUR, NOW, &mut report);
        assert_eq!((report.findings[0].name, report.is_well()), ("many-objects-gone", false));
        let words =
            "acknowledge --vault https://kv-a.vault.azure.net --run 20261122T020000Z-nightly --reason";
        assert!(report.findings[0].remedy.contains(words), "{report:?}");
    }

    #[test]
    fn what_is_accepted_is_said_and_is_no_fault() {
        let until = |days| NOW + Duration::days(days);
        let accepted = vec![("secret worn".to_owned(), until(30)), ("key old".to_owned(), until(2))];
        let mut report = Report::default();
        judge_age(&Ok(AgeSeen { accepted, ..seen(Some(NOW)) }), Duration::HOUR, NOW, &mut report);
        let found = &report.findings[0];
        assert_eq!(
            (found.name, found.severity, report.is_well()),
            ("failures-accepted", Severity::Info, true)
        );
        assert!(found.seen.ends_with("secret worn, key old; the first until 2026-11-24"), "{report:?}");
    }

    #[test]
    fn a_caller_at_its_bound_is_named_and_what_cannot_be_read_is_unknown() {
        let by = Actor::http(Some("a key"), None);
        let met = AtBound { by, right: Right::Restore, open: 8, most: 8 };
        let table = [
            (Ok(vec![met]), "warning too-many-open"),
            (Ok(Vec::new()), "well open jobs: no caller has as many as are allowed"),
            (Err("no answer".to_owned()), "unknown open jobs: no answer"),
        ];
        for (seen, expected) in table {
            let (report, lines) = judged(|report| judge_callers(&seen, report));
            assert_eq!(lines, [expected]);
            for found in report.findings {
                assert!(found.subject.starts_with("the holder of function key "), "{found:?}");
                assert_eq!(found.seen, "8 open restores, and 8 are allowed");
                assert!(found.remedy.ends_with("raise KEYVAULT_BACKUP_MOST_OPEN_RESTORES"), "{found:?}");
            }
        }
    }

    #[test]
    fn clocks_may_be_five_minutes_apart() {
        let behind = "its clock is 301 s behind that of host";
        let table = [
            (vec![], "unknown clock: no service said what time it is", ""),
            (vec![3, -300, 20], "well clock: at most 300 s from the services'", ""),
            (vec![3, 301, -20], "warning clock-skew", behind),
            (vec![3, -301, 20], "warning clock-skew", "its clock is 301 s ahead of that of host"),
        ];
        for (ahead, expected, seen) in table {
            let ahead: Vec<_> =
                ahead.into_iter().map(|seconds| ("host".to_owned(), Duration::seconds(seconds))).collect();
            let (report, lines) = judged(|report| judge_clocks(&ahead, report));
            assert_eq!(lines, [expected]);
            assert_eq!(report.findings.first().map_or("", |found| &found.seen), seen);
        }
    }

    #[test]
    fn each_fault_of_the_settings_is_named_and_their_soundness_too() {
        let well = "well settings: each source once, no SAS tokens, containers apart";
        let sound = SettingsSeen::default;
        let table = [
            (sound(), well),
            (SettingsSeen { platform_auth: Some(true), ..sound() }, well),
            (SettingsSeen { platform_auth: Some(false), ..sound() }, "info platform-auth-off"),
            (SettingsSeen { sas: vec!["A"], ..sound() }, "warning sas-in-use"),
            (SettingsSeen { twice: vec!["a".into()], ..sound() }, "warning source-twice"),
            (SettingsSeen { shared: vec![("A", "B")], ..sound() }, "error container-shared"),
            (SettingsSeen { unclear: vec![("A", "b".into())], ..sound() }, "warning schedule-unclear"),
        ];
        for (seen, expected) in table {
            let (report, lines) = judged(|report| judge_settings(&seen, report));
            assert_eq!(lines, [expected]);
            assert!(report.is_blind(), "settings tell nothing of a service: {expected}");
        }
    }
}

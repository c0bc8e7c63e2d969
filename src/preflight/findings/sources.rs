//! Findings about the state of each source, from the catalogue: every [`Trouble`], and what may become one.

use time::OffsetDateTime;

use super::{Finding, Report, Severity, remedy::Remedy};
use crate::domain::{
    first::first_of,
    form::Clear,
    run::RunId,
    state::{SourceState, Trouble},
    versions::VERSIONS_LIMIT,
};

/// Objects that are named in a finding.
const NAMED: usize = 10;

/// The observations of a source in the catalogue.
#[derive(Clone, Debug)]
pub struct SourceSeen {
    /// Its state.
    pub state: SourceState,
    /// The source's address.
    pub url: String,
    /// Objects with many versions, and how many they had at their newest backup.
    pub versions: Vec<(String, u32)>,
    /// Objects that have more versions than Key Vault backs up, without those that are accepted.
    pub over: Vec<String>,
    /// Objects whose failure a person has accepted, and until when.
    pub accepted: Vec<(String, OffsetDateTime)>,
    /// Objects whose newest backup has an unknown form, and the part of it that may be shown.
    pub unknown_forms: Vec<(String, Clear)>,
}

/// A source whose catalogue could not be read, and why.
pub type Unread = (String, String);

/// Judges a source by the catalogue.
pub fn judge(seen: &Result<SourceSeen, Unread>, now: OffsetDateTime, report: &mut Report) {
    let seen = match seen {
        Ok(seen) => seen,
        Err((source, why)) => return report.unknown(source, "newest backup", why.as_str()),
    };
    // What has too many versions is a finding of its own.
    let is_more = |trouble: &&Trouble| match trouble {
        Trouble::Failing { objects, .. } => *objects > seen.over.len(),
        _ => true,
    };
    report
        .findings
        .extend(seen.state.troubles.iter().filter(is_more).map(|trouble| trouble_found(trouble, seen)));
    if let Some(covered) = seen.state.covered.filter(|_| !seen.state.is_overdue()) {
        let hours = (now - covered).whole_hours().max(0);
        report.well(seen.state.source.as_str(), "newest backup", format!("{hours} hours old"));
    }
    many_versions(seen, report);
    unknown_forms(seen, report);
    accepted(seen, report);
}

impl SourceSeen {
    fn finding(&self, name: &'static str, severity: Severity) -> Finding {
        let subject = self.state.source.to_string();
        Finding { name, severity, subject, seen: String::new(), why: "", remedy: Remedy::default() }
    }
}

/// The finding of a trouble. Its name is the trouble's.
fn trouble_found(trouble: &Trouble, of: &SourceSeen) -> Finding {
    let (why, remedy) = about(trouble, &of.state, &of.url);
    let severity = if trouble.is_error() { Severity::Error } else { Severity::Warning };
    Finding { seen: trouble.to_string(), why, remedy, ..of.finding(trouble.code(), severity) }
}

/// Why a trouble of a source matters, and how it is fixed. `url` is how commands name the source.
pub fn about(trouble: &Trouble, of: &SourceState, url: &str) -> (&'static str, Remedy) {
    match trouble {
        Trouble::Unreadable(_) => (
            "What is damaged shows neither what is protected nor what is not.",
            Remedy::run([format!("keyvault-backup rebuild --vault {url}")])
                .and("If a newer program wrote it, install that version instead."),
        ),
        Trouble::NeverBackedUp | Trouble::Overdue { .. } => (
            "If the source is lost, so is everything that was created or changed since then.",
            back_up(of, url),
        ),
        Trouble::Damaged { .. } => (
            "An older backup may still be whole; a newer one is taken by itself while the source has the objects.",
            Remedy::run([format!("keyvault-backup verify --source {}", of.source)])
                .and("Then see `backup-damaged` in docs/operations.md."),
        ),
        Trouble::VerificationUnreadable(_) => (
            "A finding may be open of which nothing is said. Retention lets nothing of the source go meanwhile.",
            Remedy::run([format!("keyvault-backup verify --source {} --all", of.source)])
                .and("The next pass of `VerifyBackups` makes a new record. If a newer program wrote this one, install that version."),
        ),
        Trouble::Lost { run, .. } => (
            "No person has acknowledged that they were to go. Their backups are kept; applications may miss them.",
            Remedy::run([format!("keyvault-backup show {run} --vault {url} --all"), acknowledge(url, run)])
                .and("Restore what is missed, or acknowledge that it was to go."),
        ),
        Trouble::Unlisted(_) => (
            "Objects of these kinds that were created or changed since then have no backup.",
            Remedy::advice("The other findings of the source say which right or network is in the way."),
        ),
        Trouble::Failing { .. } => (
            "Their newest state has no backup.",
            Remedy::run([format!("keyvault-backup list objects --vault {url} --failing")])
                .and("Then see `run-not-clean` in docs/operations.md."),
        ),
        Trouble::LastFailed(_) => (
            "An older backup can still be restored.",
            Remedy::run([format!("keyvault-backup hsm status --hsm {url}")]).and(NOT_BACKED_UP),
        ),
        Trouble::CopyMissing(_) => (
            "It lies in the landing account alone, where whoever may delete blobs can delete it.",
            Remedy::run([format!("keyvault-backup hsm status --hsm {url}")])
                .and("Then see `hsm-not-copied` in docs/operations.md."),
        ),
        Trouble::Moved { run, .. } => (
            "Key Vault opens a backup only in the subscription and geography that it comes from.",
            Remedy::run([acknowledge(url, run)])
                .and("If the setting is wrong, correct KEYVAULT_BACKUP_PLACES first."),
        ),
        Trouble::SecondLate(_) => (
            "If the first account is lost, so is what was backed up since then.",
            Remedy::run([format!("keyvault-backup list runs --vault {url} --from second")])
                .and("See `second-place-late` in docs/operations.md: the log of the keeper's `CopyBackups` has the reason."),
        ),
        Trouble::SecurityDomainUnchecked(_) => (
            "Without the security domain and a quorum of its keys no backup can be restored into a new HSM.",
            Remedy::run([format!("keyvault-backup hsm attest --hsm {url} --quorum N/M --by NAME")])
                .and("Before that, have its holders show the file and their keys."),
        ),
        Trouble::DrillFailed(_) => (
            "What cannot be restored into a vault made for it may not be restored after a loss either.",
            Remedy::run([format!("keyvault-backup drill list --vault {url}")]).and("Then see `drill-failed` in docs/operations.md."),
        ),
        Trouble::DrillOverdue { .. } => (
            "A backup that was not restored for long is a hope.",
            Remedy::run([if of.is_hsm() {
                format!("keyvault-backup drill run --hsm {} --into DRILL_HSM", of.source)
            } else {
                format!("keyvault-backup drill run --vault {url}")
            }])
            .and("Then see `drill-overdue` in docs/operations.md."),
        ),
    }
}

const NOT_BACKED_UP: &str = "Then see `hsm-not-backed-up` in docs/operations.md.";

fn acknowledge(url: &str, run: &RunId) -> String {
    format!("keyvault-backup acknowledge --vault {url} --run {run} --reason TEXT")
}

fn back_up(of: &SourceState, url: &str) -> Remedy {
    if of.is_hsm() {
        return Remedy::run(["keyvault-backup jobs".to_owned()]).and(NOT_BACKED_UP);
    }
    Remedy::run([format!("keyvault-backup backup --vault {url}")])
}

fn unknown_forms(seen: &SourceSeen, report: &mut Report) {
    let Some((first, clear)) = seen.unknown_forms.first() else { return };
    let names = seen.unknown_forms.iter().map(|(name, _)| name);
    report.findings.push(Finding {
        seen: format!("backups of a form that this program does not know: {}; the first has {clear}", first_of(names, NAMED)),
        why: "They are stored as the service handed them out. Only the service can tell whether they are whole, and nothing \
              is purged in favour of one.",
        remedy: Remedy::run([format!("keyvault-backup restore --vault {} --{first} --into URL", seen.url)]).and(
            "Install the newest version: from the next night on it takes backups that it can judge. To be sure until then, \
             restore into a vault for tests in the same subscription and geography, at URL.",
        ),
        ..seen.finding("backup-form-unknown", Severity::Warning)
    });
}

/// Reports accepted failures, with the first date on which an acceptance ends.
fn accepted(seen: &SourceSeen, report: &mut Report) {
    let Some(first) = seen.accepted.iter().map(|(_, until)| until).min() else { return };
    let names = seen.accepted.iter().map(|(name, _)| name);
    report.findings.push(Finding {
        seen: format!("not backed up, as a person accepted: {}; the first until {}", first_of(names, NAMED), first.date()),
        why: "They have no new backup. When one fails for another reason, or its time is over, it is a failure again.",
        remedy: Remedy::run(["keyvault-backup accept list".to_owned()]),
        ..seen.finding("failures-accepted", Severity::Info)
    });
}

fn many_versions(seen: &SourceSeen, report: &mut Report) {
    const MOVE: &str =
        "Versions cannot be deleted: make a new object, move its users there, and then delete the old one.";
    if let Some(first) = seen.over.first() {
        report.findings.push(Finding {
            seen: format!("more than {VERSIONS_LIMIT} versions: {}", first_of(&seen.over, NAMED)),
            why: "Key Vault does not back them up, and never will again.",
            remedy: Remedy::run([format!(
                "keyvault-backup accept --vault {} --{first} --reason TEXT --until DATE",
                seen.url
            )])
            .and(format!("{MOVE} Until then, accept the failure.")),
            ..seen.finding("versions-over-limit", Severity::Error)
        });
    }
    if !seen.versions.is_empty() {
        let names = seen.versions.iter().map(|(name, count)| format!("{name} ({count})"));
        report.findings.push(Finding {
            seen: format!("near {VERSIONS_LIMIT} versions: {}", first_of(names, NAMED)),
            why: "Above the limit Key Vault does not back them up any more.",
            remedy: Remedy::advice(MOVE),
            ..seen.finding("versions-near-limit", Severity::Warning)
        });
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::{super::samples::judged, *};
    use crate::domain::{hsm::Missing, state::Known};

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    /// A vault whose newest backup is an hour old.
    fn seen() -> SourceSeen {
        let state = SourceState {
            covered: Some(NOW - Duration::HOUR),
            troubles: Vec::new(),
            ..SourceState::of_vault(&"kv-a".parse().unwrap(), Ok(&Known::default()), 0, Duration::DAY, NOW)
        };
        let url = "https://kv-a.vault.azure.net".to_owned();
        SourceSeen {
            state,
            url,
            versions: Vec::new(),
            over: Vec::new(),
            accepted: Vec::new(),
            unknown_forms: Vec::new(),
        }
    }

    fn with(trouble: Trouble) -> SourceSeen {
        let seen = seen();
        SourceSeen { state: SourceState { troubles: vec![trouble], ..seen.state }, ..seen }
    }

    #[test]
    fn each_trouble_is_a_finding_of_its_name_with_a_remedy_that_names_the_source() {
        let run = || "20261122T020000Z-nightly".parse().unwrap();
        let what = || "5 of 5 gone".to_owned();
        let table = [
            (
                Trouble::Unreadable("torn".into()),
                "error catalogue-unreadable",
                "rebuild --vault https://kv-a.vault",
            ),
            (Trouble::NeverBackedUp, "error never-backed-up", "backup --vault https://kv-a.vault"),
            (
                Trouble::Overdue { since: NOW, interval: Duration::DAY },
                "error overdue",
                "backup --vault https://kv-a.vault",
            ),
            (
                Trouble::Lost { run: run(), what: what() },
                "error many-objects-gone",
                "--run 20261122T020000Z-nightly --reason",
            ),
            (Trouble::Unlisted(Vec::new()), "error kinds-unlisted", "right or network"),
            (
                Trouble::Failing { objects: 1, without_backup: 0 },
                "error objects-failing",
                "list objects --vault https://kv-a.vault",
            ),
            (Trouble::LastFailed(run()), "warning last-backup-failed", "hsm status --hsm https://kv-a.vault"),
            (
                Trouble::CopyMissing(Missing { since: NOW, why: None }),
                "warning hsm-copy-missing",
                "`hsm-not-copied` in docs/operations.md",
            ),
            (
                Trouble::Moved { run: run(), what: what() },
                "warning vault-moved",
                "--run 20261122T020000Z-nightly --reason",
            ),
            (Trouble::SecondLate(NOW), "warning second-place-late", "--from second"),
            (
                Trouble::SecurityDomainUnchecked(NOW),
                "warning security-domain-unchecked",
                "hsm attest --hsm https://kv-a.vault",
            ),
            (Trouble::DrillFailed(what()), "warning drill-failed", "drill list --vault https://kv-a.vault"),
            (
                Trouble::DrillOverdue { since: None, interval: Duration::DAY },
                "warning drill-overdue",
                "drill run --vault https://kv-a.vault",
            ),
        ];
        for (trouble, expected, remedy) in table {
            let is_late = trouble.is_overdue();
            let (report, lines) = judged(|report| judge(&Ok(with(trouble)), NOW, report));
            assert_eq!(lines[0], expected);
            assert!(report.findings[0].remedy.to_string().contains(remedy), "{report:?}");
            assert_eq!(
                lines.get(1).map(String::as_str),
                (!is_late).then_some("well newest backup: 1 hours old")
            );
        }
    }

    #[test]
    fn what_cannot_be_read_in_time_is_unknown() {
        let unread = Err(("kv-a".to_owned(), "no answer within 20 s".to_owned()));
        let (_, lines) = judged(|report| judge(&unread, NOW, report));
        assert_eq!(lines, ["unknown newest backup: no answer within 20 s"]);
    }

    #[test]
    fn a_form_that_is_not_known_is_a_warning_with_a_sample() {
        let clear = Clear { tag: Some("KeyVaultV2".into()), header: vec!["alg".into()] };
        let unknown_forms = vec![("secret db".to_owned(), clear.clone()), ("key k".to_owned(), clear)];
        let mut report = Report::default();
        judge(&Ok(SourceSeen { unknown_forms, ..seen() }), NOW, &mut report);
        let found = &report.findings[0];
        assert_eq!((found.name, found.severity), ("backup-form-unknown", Severity::Warning));
        assert!(
            found.seen.ends_with("secret db, key k; the first has tag KeyVaultV2, header name alg"),
            "{found:?}"
        );
        assert!(found.remedy.commands[0].ends_with("--secret db --into URL"), "{found:?}");
    }

    #[test]
    fn many_versions_are_named_up_to_ten() {
        let versions = (0..12).map(|number| (format!("secret s{number}"), 400)).collect();
        let mut report = Report::default();
        let over = vec!["secret old".to_owned()];
        judge(&Ok(SourceSeen { versions, over, ..seen() }), NOW, &mut report);
        assert_eq!(report.findings[0].name, "versions-over-limit");
        assert!(report.findings[1].seen.ends_with("secret s9 (400) and 2 more"), "{report:?}");
        let words = "keyvault-backup accept --vault https://kv-a.vault.azure.net --secret old --reason";
        assert!(report.findings[0].remedy.commands[0].contains(words), "{report:?}");
    }

    #[test]
    fn what_is_accepted_is_said_and_is_no_fault() {
        let until = |days| NOW + Duration::days(days);
        let accepted = vec![("secret worn".to_owned(), until(30)), ("key old".to_owned(), until(2))];
        let mut report = Report::default();
        judge(&Ok(SourceSeen { accepted, ..seen() }), NOW, &mut report);
        let found = &report.findings[0];
        assert_eq!(
            (found.name, found.severity, report.is_well()),
            ("failures-accepted", Severity::Info, true)
        );
        assert!(found.seen.ends_with("secret worn, key old; the first until 2026-11-24"), "{report:?}");
    }
}

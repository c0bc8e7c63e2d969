//! Findings about settings, clocks and callers.

use time::Duration;

use super::{
    Finding, MACHINE, Report, SETTINGS, Severity,
    guards::{self, GuardsSeen},
    remedy::Remedy,
};
use crate::domain::{bound::AtBound, retention::LastPass};

/// How far clocks may be apart. Tokens and signatures are refused a few minutes later.
const MOST_SKEW: Duration = Duration::minutes(5);

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
    report.findings.extend(met.iter().map(|of| {
        Finding {
            name: "too-many-open",
            severity: Severity::Warning,
            subject: of.by.to_string(),
            seen: format!("{} open {}, and {} are allowed", of.open, of.what(), of.most),
            why: "Until some of them have ended, this caller is refused. Others are not.",
            remedy: Remedy::run(["keyvault-backup jobs".to_owned()])
                .and(format!("If it should have more, raise {}.", of.setting())),
        }
    }));
}

/// Judges whether a keeper applies retention. Without one nothing is lost: backups pile up.
pub fn judge_retention(applied: &Result<LastPass, String>, report: &mut Report) {
    const SUBJECT: &str = "retention";
    let applied = match applied {
        Ok(applied) => applied,
        Err(why) => return report.unknown(SUBJECT, "keeper", why.as_str()),
    };
    let severity = match applied {
        LastPass::Recently(_) => return report.well(SUBJECT, "keeper", applied.to_string()),
        LastPass::Never => Severity::Info,
        LastPass::Late(_) => Severity::Warning,
    };
    report.findings.push(Finding {
        name: "retention-not-applied",
        severity,
        subject: SUBJECT.to_owned(),
        seen: applied.to_string(),
        why: "Only the keeper deletes. Until it does, every backup is kept, and storage grows.",
        remedy: Remedy::run(["keyvault-backup retention plan".to_owned()]).and(
            "The first pass comes in the night after the deployment. After that, the log of the keeper app says with \
             `retention.failed` why a source stands still.",
        ),
    });
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
        remedy: Remedy::run(
            ["timedatectl set-ntp true", "az functionapp restart --name APP --resource-group GROUP"]
                .map(str::to_owned),
        )
        .and("At a terminal, have this machine's clock set from the network. In Azure, restart the app."),
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
    /// Settings of notices that cannot be used, and why.
    pub untellable: Vec<(&'static str, String)>,
    /// Those that guard the HTTP functions.
    pub guards: GuardsSeen,
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
            remedy: Remedy::run(["infra/scripts/hsm-attach.sh --hsm HSM --identity ID".to_owned()])
                .and("Attach an identity to each HSM, then remove the setting."),
        });
    }
    for name in &seen.twice {
        report.findings.push(Finding {
            name: "source-twice",
            severity: Severity::Warning,
            subject: name.clone(),
            seen: "it is the name of a vault and of an HSM".to_owned(),
            why: "Reports and alerts go by name and cannot distinguish the two.",
            remedy: Remedy::advice(
                "Use an app of its own for one of the two: take it out of KEYVAULT_BACKUP_VAULTS or KEYVAULT_BACKUP_HSMS here.",
            ),
        });
    }
    for (one, other) in &seen.shared {
        report.findings.push(Finding {
            name: "container-shared",
            severity: Severity::Error,
            subject: (*one).to_owned(),
            seen: format!("it names the same container as {other}"),
            why: "Backups want write protection, jobs want to be deleted, and HSMs refuse protected containers.",
            remedy: Remedy::advice(
                "Make a container of its own in another account, and set this setting to its URL.",
            ),
        });
    }
    for (name, why) in &seen.unclear {
        report.findings.push(Finding {
            name: "schedule-unclear",
            severity: Severity::Warning,
            subject: (*name).to_owned(),
            seen: why.clone(),
            why: "A night that its timer misses, as in an outage, is not begun later: when it was due is not known.",
            remedy: Remedy::advice("Set it to six fields in UTC, such as `0 0 2 * * *`, and no time zone."),
        });
    }
    for (name, why) in &seen.untellable {
        report.findings.push(Finding {
            name: "notify-unusable",
            severity: Severity::Warning,
            subject: (*name).to_owned(),
            seen: why.clone(),
            why: "What matters is not told there. Backups do not stop for it.",
            remedy: Remedy::run(["keyvault-backup notify test".to_owned()]).and(
                "Set it to addresses that begin with `https://`. If it is a Key Vault reference, let the app's identity \
                 read that secret. Then test it.",
            ),
        });
    }
    guards::judge_settings(&seen.guards, report);
    if report.findings.len() == found {
        report.well(SETTINGS, SETTINGS, "each source once, no SAS tokens, containers apart");
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples::judged, *};
    use crate::domain::{actor::Actor, right::Right};

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
                assert!(
                    found.remedy.advice.ends_with("raise KEYVAULT_BACKUP_MOST_OPEN_RESTORES."),
                    "{found:?}"
                );
            }
        }
    }

    #[test]
    fn retention_that_was_never_applied_is_told_and_that_it_stopped_is_a_warning() {
        let at = crate::domain::samples::NIGHT;
        for (seen, expected) in [
            (
                Ok(LastPass::Recently(at)),
                "well keeper: the keeper applied retention to every source on 2026-11-22",
            ),
            (Ok(LastPass::Never), "info retention-not-applied"),
            (Ok(LastPass::Late(at)), "warning retention-not-applied"),
            (Err("no answer".to_owned()), "unknown keeper: no answer"),
        ] {
            let (_, lines) = judged(|report| judge_retention(&seen, report));
            assert_eq!(lines, [expected], "{seen:?}");
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
        let guarded = |guards| SettingsSeen { guards, ..sound() };
        let guards = GuardsSeen::default;
        let table = [
            (sound(), well),
            (guarded(GuardsSeen { platform_auth: Some(true), ..guards() }), well),
            (guarded(GuardsSeen { platform_auth: Some(false), ..guards() }), "info platform-auth-off"),
            (guarded(GuardsSeen { open_targets: vec!["a".into()], ..guards() }), well),
            (
                guarded(GuardsSeen { open_targets: vec!["a".into(), "b".into()], ..guards() }),
                "warning restore-pairs-unset",
            ),
            (guarded(GuardsSeen { authentication_unset: true, ..guards() }), "warning authentication-unset"),
            (SettingsSeen { sas: vec!["A"], ..sound() }, "warning sas-in-use"),
            (SettingsSeen { twice: vec!["a".into()], ..sound() }, "warning source-twice"),
            (SettingsSeen { shared: vec![("A", "B")], ..sound() }, "error container-shared"),
            (SettingsSeen { unclear: vec![("A", "b".into())], ..sound() }, "warning schedule-unclear"),
            (SettingsSeen { untellable: vec![("A", "b".into())], ..sound() }, "warning notify-unusable"),
        ];
        for (seen, expected) in table {
            let (report, lines) = judged(|report| judge_settings(&seen, report));
            assert_eq!(lines, [expected]);
            assert!(report.is_blind(), "settings tell nothing of a service: {expected}");
        }
    }
}

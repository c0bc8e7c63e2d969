//! Every family of numbers: its name, what it means, and where the status has it.

use strum::VariantArray as _;
use time::OffsetDateTime;

use super::text::SECONDS;
use crate::{
    domain::{
        run::Numbers,
        source::SourceKind,
        state::{Objects, SourceState, TroubleKind},
    },
    query::status::Status,
};

/// A label of a family, with its value.
type Label = Option<(&'static str, &'static str)>;

/// A family of numbers about `T`.
pub(super) struct Family<T: 'static> {
    pub(super) name: &'static str,
    pub(super) unit: Option<&'static str>,
    pub(super) help: &'static str,
    /// Passes each sample on: its label beside those of the source, and its value.
    pub(super) samples: fn(&T, &mut dyn FnMut(Label, i64)),
}

const fn count<T>(
    name: &'static str,
    help: &'static str,
    samples: fn(&T, &mut dyn FnMut(Label, i64)),
) -> Family<T> {
    Family { name, unit: None, help, samples }
}

const fn seconds<T>(
    name: &'static str,
    help: &'static str,
    samples: fn(&T, &mut dyn FnMut(Label, i64)),
) -> Family<T> {
    Family { name, unit: SECONDS, help, samples }
}

/// Adds a time, if it is known.
fn at(time: Option<OffsetDateTime>, add: &mut dyn FnMut(Label, i64)) {
    if let Some(time) = time {
        add(None, time.unix_timestamp());
    }
}

fn number(of: impl TryInto<i64>) -> i64 {
    of.try_into().unwrap_or(i64::MAX)
}

/// Adds one of the numbers of a source's objects, if they are known.
fn objects(of: &SourceState, add: &mut dyn FnMut(Label, i64), one: fn(&Objects) -> usize) {
    if let Some(objects) = &of.objects {
        add(None, number(one(objects)));
    }
}

/// Adds one of the numbers of the newest run, if it has any.
fn last_run(of: &SourceState, add: &mut dyn FnMut(Label, i64), label: Label, one: fn(&Numbers) -> u32) {
    if let Some(numbers) = of.history.last.as_ref().and_then(|last| last.numbers.as_ref()) {
        add(label, one(numbers).into());
    }
}

/// The numbers of the installation.
pub(super) const OF_ALL: &[Family<Status>] = &[
    count(
        "keyvault_backup_ok",
        "Whether everything is well: there is a source, every source is well, and jobs progress.",
        |of, add| {
            add(None, of.is_ok().into());
        },
    ),
    count("keyvault_backup_version", "Always 1; the label has the version of the program.", |_, add| {
        add(Some(("version", env!("PROGRAM_VERSION"))), 1);
    }),
    seconds("keyvault_backup_read_timestamp_seconds", "When these numbers were read.", |of, add| {
        at(Some(of.now), add);
    }),
    seconds(
        "keyvault_backup_expected_interval_seconds",
        "How old the newest run that covers a source may be.",
        |of, add| {
            add(None, of.interval.whole_seconds());
        },
    ),
    count("keyvault_backup_sources", "Sources that are told of, by kind.", |of, add| {
        for of_kind in [SourceKind::Vault, SourceKind::Hsm] {
            let all = of.sources().filter(|source| source.kind == of_kind).count();
            add(Some(("kind", of_kind.name())), number(all));
        }
    }),
    seconds(
        "keyvault_backup_last_pass_timestamp_seconds",
        "When AdvanceJobs last ran, to within five minutes.",
        |of, add| {
            at(of.passes.last, add);
        },
    ),
    count(
        "keyvault_backup_jobs_stand_still",
        "Whether AdvanceJobs has not run for so long that jobs do not progress.",
        |of, add| {
            add(None, of.passes.stands_still.into());
        },
    ),
    seconds(
        "keyvault_backup_last_retention_timestamp_seconds",
        "When retention was last applied to every source.",
        |of, add| {
            at(of.retention.last(), add);
        },
    ),
    seconds(
        "keyvault_backup_second_place_last_pass_timestamp_seconds",
        "When the newest pass over the second place ended.",
        |of, add| {
            at(of.second.as_ref().and_then(|pass| pass.ended), add);
        },
    ),
    count(
        "keyvault_backup_second_place_failed_parts",
        "How many parts the newest pass over the second place could not copy.",
        |of, add| {
            if let Some(pass) = &of.second {
                add(None, pass.failed.into());
            }
        },
    ),
    count("keyvault_backup_poison_messages", "Messages that the host gave up, approximately.", |of, add| {
        if let Some(messages) = of.poison_messages {
            add(None, number(messages));
        }
    }),
    seconds("keyvault_backup_next_run_timestamp_seconds", "When a timer is due next.", |of, add| {
        of.next_runs.iter().for_each(|(timer, at)| {
            add(Some(("function", timer.function())), at.unix_timestamp());
        });
    }),
];

/// The numbers of each source.
pub(super) const OF_EACH: &[Family<SourceState>] = &[
    count("keyvault_backup_source_ok", "Whether nothing is wrong with the source.", |of, add| {
        add(None, of.is_ok().into());
    }),
    count("keyvault_backup_source_trouble", "Whether the source has this trouble.", |of, add| {
        for kind in TroubleKind::VARIANTS {
            let has = of.troubles.iter().any(|trouble| TroubleKind::from(trouble) == *kind);
            add(Some(("trouble", kind.code())), has.into());
        }
    }),
    count(
        "keyvault_backup_source_ever_covered",
        "Whether a backup has ever covered the source.",
        |of, add| {
            if of.is_readable() {
                add(None, of.covered.is_some().into());
            }
        },
    ),
    seconds(
        "keyvault_backup_last_success_timestamp_seconds",
        "When the newest backup that covers the source began; of a Managed HSM, the time of the state that it holds.",
        |of, add| {
            at(of.covered, add);
        },
    ),
    seconds(
        "keyvault_backup_last_copied_timestamp_seconds",
        "The time of the state in the newest backup of a Managed HSM that has a write-once copy.",
        |of, add| {
            at(of.copied, add);
        },
    ),
    seconds(
        "keyvault_backup_last_attested_timestamp_seconds",
        "When people last recorded that they checked the security domain of a Managed HSM.",
        |of, add| {
            at(of.attested, add);
        },
    ),
    seconds(
        "keyvault_backup_second_place_behind_seconds",
        "For how long the second place has lacked something newer of the source; 0 if it has everything.",
        |of, add| {
            if let Some(second) = &of.second {
                add(None, second.behind.whole_seconds());
            }
        },
    ),
    count(
        "keyvault_backup_second_place_lacking_points",
        "Points of a vault in the second place of which the first had lost something before they were copied.",
        |of, add| {
            if let Some(second) = of.second.filter(|_| !of.is_hsm()) {
                add(None, second.lacking.into());
            }
        },
    ),
    seconds(
        "keyvault_backup_last_drill_timestamp_seconds",
        "When the newest drill of the source began that took place.",
        |of, add| {
            at(of.drills.drilled, add);
        },
    ),
    seconds(
        "keyvault_backup_drill_whole_restore_seconds",
        "What a restore of the whole source would take, extrapolated from the newest drill.",
        |of, add| {
            if let Some(whole) = of.drills.last.as_ref().and_then(|last| last.came.whole) {
                add(None, whole.rto_seconds.whole());
            }
        },
    ),
    seconds(
        "keyvault_backup_last_failure_timestamp_seconds",
        "When the newest run that did not succeed ended; of a vault, within the last 30 days.",
        |of, add| {
            at(of.history.failed, add);
        },
    ),
    seconds(
        "keyvault_backup_last_run_timestamp_seconds",
        "When the newest run that has ended did so.",
        |of, add| {
            at(of.history.last.as_ref().map(|last| last.ended), add);
        },
    ),
    seconds(
        "keyvault_backup_last_run_duration_seconds",
        "How long the newest run took that has ended.",
        |of, add| {
            if let Some(last) = &of.history.last {
                add(None, last.took.whole_seconds());
            }
        },
    ),
    count("keyvault_backup_last_run_listed_objects", "Objects that the newest run listed.", |of, add| {
        last_run(of, add, None, |numbers| numbers.listed);
    }),
    count(
        "keyvault_backup_last_run_objects",
        "Objects that the newest run listed, by what became of them.",
        |of, add| {
            let result = |result| Some(("result", result));
            last_run(of, add, result("backed_up"), |numbers| numbers.backed_up);
            last_run(of, add, result("skipped"), Numbers::skipped);
            last_run(of, add, result("failed"), |numbers| numbers.failed);
        },
    ),
    count(
        "keyvault_backup_last_run_gone_objects",
        "Objects that the newest run found gone, apart from those that it listed.",
        |of, add| {
            last_run(of, add, None, |numbers| numbers.gone);
        },
    ),
    count(
        "keyvault_backup_protected_objects",
        "Objects that have a backup and were there when they were last listed, without the damaged ones.",
        |of, add| {
            objects(of, add, |objects| objects.protected);
        },
    ),
    count(
        "keyvault_backup_unverified_objects",
        "Protected objects whose backup was taken since the last verification began.",
        |of, add| {
            objects(of, add, |objects| objects.not_verified);
        },
    ),
    count(
        "keyvault_backup_damaged_objects",
        "Objects whose newest backup the last verification found missing or damaged.",
        |of, add| {
            objects(of, add, |objects| objects.damaged);
        },
    ),
    count(
        "keyvault_backup_failing_objects",
        "Objects whose newest backup could not be taken, without the accepted ones.",
        |of, add| {
            objects(of, add, |objects| objects.failing);
        },
    ),
    count(
        "keyvault_backup_never_backed_up_objects",
        "Failing objects that never had a backup.",
        |of, add| {
            objects(of, add, |objects| objects.without_backup);
        },
    ),
    count(
        "keyvault_backup_accepted_objects",
        "Objects whose newest backup could not be taken, and whose failure a person accepted.",
        |of, add| {
            objects(of, add, |objects| objects.accepted);
        },
    ),
    count(
        "keyvault_backup_gone_objects",
        "Objects that are gone from the source and have a backup.",
        |of, add| {
            objects(of, add, |objects| objects.gone);
        },
    ),
    count(
        "keyvault_backup_most_versions",
        "The most versions that an object had at its newest backup.",
        |of, add| {
            if let Some(objects) = &of.objects {
                add(None, objects.most_versions.into());
            }
        },
    ),
    seconds(
        "keyvault_backup_oldest_backup_timestamp_seconds",
        "When the oldest of the newest backups of protected objects was taken.",
        |of, add| {
            at(of.objects.and_then(|objects| objects.oldest), add);
        },
    ),
    seconds(
        "keyvault_backup_earliest_restorable_timestamp_seconds",
        "Before this time there is nothing to restore.",
        |of, add| {
            at(of.points.map(|points| points.earliest), add);
        },
    ),
    seconds(
        "keyvault_backup_newest_restorable_timestamp_seconds",
        "After this time there is nothing newer to restore.",
        |of, add| {
            at(of.points.map(|points| points.newest), add);
        },
    ),
    seconds(
        "keyvault_backup_last_verification_timestamp_seconds",
        "When the last verification of the source began.",
        |of, add| {
            at(of.verified, add);
        },
    ),
    count("keyvault_backup_jobs_open", "Jobs that have not ended, by what they do.", |of, add| {
        add(Some(("job", "backup")), number(of.running));
        add(Some(("job", "restore")), number(of.restoring));
    }),
];

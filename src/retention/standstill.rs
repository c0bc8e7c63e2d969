//! Why a source keeps everything, by what was read of it.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{
        acknowledged::Acknowledged,
        hsm::HsmBackup,
        manifest::Summary,
        retention::{Decision, Standstill},
        second::Place,
        source::{SourceId, SourceKind, SourceName},
        state::{Known, Newest, SourceState},
        verification::Verified,
    },
};

/// Whether a source is one of those that are backed up.
pub(super) fn is_configured(app: &App, source: &SourceId) -> bool {
    // Whose owners know no settings of the first place.
    if is_second(app) {
        return true;
    }
    match source.kind {
        SourceKind::Vault => app.sources().contains(&source.name),
        SourceKind::Hsm => app.hsms().names().any(|known| *known == source.name),
    }
}

fn is_second(app: &App) -> bool {
    app.config().place == Place::Second
}

/// Of a vault, by the summaries of its runs, newest first, each with when storage wrote it.
pub(super) fn of_vault(
    app: &App,
    vault: &SourceName,
    summaries: &[(&Summary, Option<OffsetDateTime>)],
    (decisions, acknowledged): (&[Decision], &Acknowledged),
    now: OffsetDateTime,
) -> Option<Standstill> {
    let newest = summaries.iter().map(|(summary, _)| summary.planned).max();
    if !is_configured(app, &SourceId { kind: SourceKind::Vault, name: vault.clone() }) {
        return Standstill::of_unconfigured(decisions, newest);
    }
    if is_second(app) && Decision::releases(decisions, newest) {
        return None;
    }
    let known = Known::of(Newest::of(summaries.iter().copied()), Some(acknowledged));
    let state = SourceState::of_vault(vault, Ok(&known), 0, app.interval(), now);
    Standstill::of(&state, known.newest.uncovered())
}

/// Of a whole HSM, by its backups, newest first.
pub(super) fn of_hsm(
    app: &App,
    hsm: &SourceName,
    backups: &[HsmBackup],
    decisions: &[Decision],
    now: OffsetDateTime,
) -> Option<Standstill> {
    let newest = backups.iter().map(|backup| backup.opened).max();
    if !is_configured(app, &SourceId { kind: SourceKind::Hsm, name: hsm.clone() }) {
        return Standstill::of_unconfigured(decisions, newest);
    }
    if is_second(app) && Decision::releases(decisions, newest) {
        return None;
    }
    let both = (HsmBackup::newest_good(backups, None), backups.first());
    let state = SourceState::of_hsm(hsm, both, 0, None, &Verified::default(), (app.interval(), now));
    Standstill::of(&state, None)
}

//! A vault's location as a plan observes it, and what a move makes due.

use tracing::warn;

use crate::{
    app::App,
    azure::vault::VaultClient,
    catalogue::Basis,
    domain::{
        observed_location::{Compared, Moved, ObservedLocation},
        plan::PlanHeader,
    },
};

/// Compares the settings and what the vault's first answer says of its location with what was known.
pub(super) fn compared(app: &App, vault: &VaultClient, basis: &Basis) -> Compared {
    let location = app.location(vault.source().name());
    let seen =
        ObservedLocation { location, region: vault.regions().one().cloned(), kids: basis.index.kids() };
    Compared::new(&basis.observed_location, &seen)
}

/// The header with the result of the comparison, and with the region that all answers so far name.
pub(super) fn recorded(header: PlanHeader, compared: Compared, vault: &VaultClient) -> PlanHeader {
    let Compared { mut now, from, hints } = compared;
    now.region = vault.regions().known(now.region);
    let (name, run) = (&header.vault, &header.run);
    for hint in &hints {
        warn!(vault.name = %name, run.id = %run, "Everything in vault {name} is backed up again: {hint}");
    }
    let to = now.location.clone();
    let moved = from.map(|from| Moved { run: run.clone(), since: header.planned, from, to });
    PlanHeader {
        moved: moved.map(Box::new).or(header.moved),
        observed_location: now.known(),
        hints,
        ..header
    }
}

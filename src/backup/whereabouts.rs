//! Where a vault lies as of a plan, and what that makes due.

use tracing::warn;

use crate::{
    app::App,
    azure::vault::VaultClient,
    catalogue::Basis,
    domain::{
        plan::PlanHeader,
        whereabouts::{Compared, Moved, Whereabouts},
    },
};

/// Compares what the vault has told with its first answer, and the settings, with what was known.
pub(super) fn compared(app: &App, vault: &VaultClient, basis: &Basis) -> Compared {
    let place = app.place(vault.url().name());
    let seen = Whereabouts { place, region: vault.regions().one().cloned(), kids: basis.index.kids() };
    Compared::new(&basis.whereabouts, &seen)
}

/// The header with what was compared, and with the region as all answers have named it by now.
pub(super) fn recorded(header: PlanHeader, compared: Compared, vault: &VaultClient) -> PlanHeader {
    let Compared { mut now, from, hints } = compared;
    now.region = vault.regions().known(now.region);
    let (name, run) = (&header.vault, &header.run);
    for hint in &hints {
        warn!(vault.name = %name, run.id = %run, "Everything in vault {name} is backed up again: {hint}");
    }
    let to = now.place.clone();
    let moved = from.map(|from| Moved { run: run.clone(), since: header.planned, from, to });
    PlanHeader { moved: moved.map(Box::new).or(header.moved), whereabouts: now.known(), hints, ..header }
}

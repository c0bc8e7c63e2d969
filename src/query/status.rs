//! The state of the installation: every source, open restores, the timers, and callers at their bound.

use time::{Duration, OffsetDateTime};

use super::{
    callers,
    hsms::{self, HsmState},
    keeper,
    notices::{self, Undelivered},
    passes::{self, Passes},
    restores::{self, Restore},
    second, sources,
    vaults::{self, VaultState},
};
use crate::{
    app::App,
    domain::{
        bound::AtBound, night::Timer, retention::LastPass, schedule::Timetable, second::SecondPass,
        state::SourceState,
    },
    error::Result,
};

/// The most restores that are part of the state: the newest, open or ended.
const RESTORES: usize = 20;

/// The most failing objects of a vault that are named.
const FAILING: usize = 100;

/// The state of the installation.
#[derive(Debug)]
pub struct Status {
    /// When this was read.
    pub now: OffsetDateTime,
    /// The greatest age of the newest run that covers a source.
    pub interval: Duration,
    /// The passes over open jobs.
    pub passes: Passes,
    /// Whether retention is applied.
    pub retention: LastPass,
    /// The newest pass over the second place that ended; `None` without one.
    pub second: Option<SecondPass>,
    /// Every vault.
    pub vaults: Vec<VaultState>,
    /// Every Managed HSM.
    pub hsms: Vec<HsmState>,
    /// Callers that have as many open jobs as are allowed.
    pub at_bound: Vec<AtBound>,
    /// The newest restores.
    pub restores: Vec<Restore>,
    /// The approximate number of messages in the poison queues of this app; `None` if that cannot be read.
    pub poison_messages: Option<u64>,
    /// Notices that are still to be delivered; `None` if that cannot be read.
    pub notices: Option<Undelivered>,
    /// When each timer is due next, of those whose times are known.
    pub next_runs: Vec<(Timer, OffsetDateTime)>,
}

impl Status {
    /// Whether passes run and every source is well. `false` without any source: nothing was checked.
    pub fn is_ok(&self) -> bool {
        let mut sources = self.sources().peekable();
        !self.passes.stands_still && sources.peek().is_some() && sources.all(SourceState::is_ok)
    }

    /// Every source, those with the most urgent troubles first.
    pub fn by_urgency(&self) -> Vec<&SourceState> {
        let mut sources: Vec<_> = self.sources().collect();
        // Without a trouble last; `None` would come first.
        sources.sort_by_key(|of| (of.is_ok(), of.troubles.first(), &of.source));
        sources
    }

    /// Every source, in no order.
    pub fn sources(&self) -> impl Iterator<Item = &SourceState> {
        self.vaults.iter().map(|of| &of.state).chain(self.hsms.iter().map(|of| &of.state))
    }
}

/// Reads the state of the installation as of `now`: of every configured source, or, where none is configured, of every
/// source that the catalogue has.
///
/// # Errors
/// When a service refuses or does not answer. A damaged catalogue of a vault is part of that vault's state.
pub async fn status(app: &App, now: OffsetDateTime) -> Result<Status> {
    let (vault_names, hsm_names) = sources::all(app).await?;
    let every = restores::Wanted::default();
    let second = second::last_pass(app).await?;
    let (vaults, mut hsms, passes, retention, at_bound, restores, poison_messages, notices) = futures::try_join!(
        Box::pin(vaults::all(app, vault_names, second.as_ref(), FAILING, now)),
        hsms::all(app, hsm_names, second.as_ref(), now),
        passes::passes(app, now),
        keeper::applied(app, now),
        callers::at_bound(app),
        restores::page(app, &every, None, RESTORES),
        async { Ok(poison_messages(app).await) },
        async { Ok(undelivered(app).await) },
    )?;
    // In the catalogue, the keys of an HSM that are backed up one by one look like a vault without any run.
    let is_hsm = |of: &VaultState| hsms.iter().any(|hsm| hsm.state.source == of.state.source);
    let is_empty = |of: &VaultState| of.known.as_ref().is_ok_and(|known| known.newest.last.is_none());
    let is_listed = |of: &VaultState| app.vaults().any(|vault| *vault.source().name() == of.state.source);
    let mut vaults: Vec<_> =
        vaults.into_iter().filter(|of| is_listed(of) || !is_hsm(of) || !is_empty(of)).collect();
    let restores = restores.restores;
    let restoring = |into: &SourceState| {
        let into_it = |restore: &&Restore| restore.is_open() && *restore.target() == into.source;
        restores.iter().filter(into_it).filter(|restore| restore.is_of_hsm() == into.is_hsm()).count()
    };
    let states = vaults.iter_mut().map(|of| &mut of.state).chain(hsms.iter_mut().map(|of| &mut of.state));
    states.for_each(|state| state.restoring = restoring(state));
    Ok(Status {
        now,
        interval: app.interval(),
        passes,
        retention,
        second,
        vaults,
        hsms,
        at_bound,
        restores,
        poison_messages,
        notices,
        next_runs: next_runs(app, now),
    })
}

/// A count that cannot be read is unknown; the rest of the status is still answered.
async fn poison_messages(app: &App) -> Option<u64> {
    let mut all = 0;
    for queue in app.poison_queues() {
        all += match queue.count().await {
            Ok(count) => u64::try_from(count).unwrap_or_default(),
            // It does not exist before its first message.
            Err(error) if error.failure.status == Some(404) => 0,
            Err(error) => {
                tracing::warn!("The poison queues could not be read: {error}");
                return None;
            }
        };
    }
    (!app.poison_queues().is_empty()).then_some(all)
}

/// What cannot be read is unknown; the rest of the status is still answered.
async fn undelivered(app: &App) -> Option<Undelivered> {
    let read = notices::undelivered(app).await;
    read.inspect_err(|error| tracing::warn!("The notices to deliver could not be read: {error}")).ok()
}

fn next_runs(app: &App, now: OffsetDateTime) -> Vec<(Timer, OffsetDateTime)> {
    let timers = app.config().schedules.timers().into_iter();
    let next = timers.filter_map(|(timer, table)| match table {
        Timetable::Known(schedule) => Some((timer, schedule.next(now)?)),
        Timetable::NotSet | Timetable::Paused | Timetable::Unclear(_) => None,
    });
    next.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        samples::NIGHT,
        source::SourceKind,
        state::{Known, Trouble},
    };

    fn vault(name: &str, troubles: &[Trouble]) -> VaultState {
        let source = name.parse().unwrap();
        let known = Known::default();
        let state = SourceState::of_vault(&source, Ok(&known), 0, Duration::DAY, NIGHT);
        let state = SourceState { troubles: troubles.to_vec(), ..state };
        VaultState { state, open: Vec::new(), known: Ok(known) }
    }

    fn hsm(name: &str, troubles: &[Trouble]) -> HsmState {
        let vault = vault(name, troubles);
        let state = SourceState { kind: SourceKind::Hsm, ..vault.state };
        HsmState { state, good: None, last: None, copies: Vec::new(), attestation: None, open: Vec::new() }
    }

    fn status(vaults: Vec<VaultState>, hsms: Vec<HsmState>, stands_still: bool) -> Status {
        Status {
            now: NIGHT,
            interval: Duration::DAY,
            passes: Passes { last: None, stands_still },
            retention: LastPass::Never,
            second: None,
            vaults,
            hsms,
            at_bound: Vec::new(),
            restores: Vec::new(),
            poison_messages: None,
            notices: None,
            next_runs: Vec::new(),
        }
    }

    #[test]
    fn all_is_well_only_if_every_source_is_and_passes_run_and_there_is_a_source() {
        let (well, never) = (|| vault("kv-a", &[]), [Trouble::NeverBackedUp]);
        for (vaults, hsms, stands_still, expected) in [
            (vec![], vec![], false, false),
            (vec![well()], vec![], false, true),
            (vec![], vec![hsm("hsm-a", &[])], false, true),
            (vec![well()], vec![hsm("hsm-a", &[])], true, false),
            (vec![well(), vault("kv-b", &never)], vec![], false, false),
            (vec![well()], vec![hsm("hsm-a", &never)], false, false),
        ] {
            assert_eq!(status(vaults, hsms, stands_still).is_ok(), expected);
        }
    }

    #[test]
    fn what_is_most_urgent_comes_first_and_what_is_well_last() {
        let overdue =
            |days| Trouble::Overdue { since: NIGHT - Duration::days(days), interval: Duration::DAY };
        let failing = Trouble::Failing { objects: 1, without_backup: 0 };
        let vaults = vec![
            vault("kv-a", &[]),
            vault("kv-b", std::slice::from_ref(&failing)),
            vault("kv-c", &[overdue(2), failing]),
            vault("kv-d", &[overdue(3)]),
        ];
        let status = status(vaults, vec![hsm("hsm-z", &[Trouble::NeverBackedUp]), hsm("hsm-a", &[])], false);
        let names: Vec<_> = status.by_urgency().into_iter().map(|of| of.source.as_str()).collect();
        assert_eq!(names, ["hsm-z", "kv-d", "kv-c", "kv-b", "hsm-a", "kv-a"]);
    }
}

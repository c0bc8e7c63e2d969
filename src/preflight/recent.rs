//! One preflight for all who ask for it within minutes.
//!
//! A preflight takes real backups and tries to purge. A caller who may only read a status can ask for it as often as they like:
//! without this, that would take requests of a vault away from backups and from other users of the vault.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::{sync::Mutex as Turn, time::Instant};
use tracing::Instrument as _;

use super::findings::Report;
use crate::domain::source::SourceName;

/// How long a report is given out again. `infra/deploy.sh` waits as long, to get a report of a later state.
pub const FRESH: Duration = Duration::from_secs(120);

/// The newest report of each scope: everything, or one source of the settings. Cheap to clone.
#[derive(Clone, Default)]
pub struct Recent {
    slots: Arc<Mutex<BTreeMap<Option<SourceName>, Slot>>>,
}

type Slot = Arc<Turn<Option<Made>>>;

/// A report that was made.
#[derive(Clone)]
pub struct Made {
    /// The report.
    pub report: Arc<Report>,
    /// When it was made.
    pub at: OffsetDateTime,
    ended: Instant,
}

impl Recent {
    /// The report of a scope: one that is not older than [`FRESH`], or that of the check that runs, or else of `check`, which
    /// also says when it ended. A check runs to its end even if its caller goes away, so that leaving starts no second one.
    ///
    /// # Errors
    /// When the check stopped before its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "it changes nothing, and stopping it would let each caller start another one"
    )]
    pub async fn report<F>(
        &self,
        source: Option<SourceName>,
        check: F,
    ) -> Result<Made, tokio::task::JoinError>
    where
        F: Future<Output = (Report, OffsetDateTime)> + Send + 'static,
    {
        let slot = Arc::clone(self.slots.lock().entry(source).or_default());
        let mut held = slot.lock_owned().await;
        if let Some(made) = held.as_ref().filter(|made| made.ended.elapsed() < FRESH) {
            return Ok(made.clone());
        }
        let running = async move {
            let (report, at) = check.await;
            let made = Made { report: Arc::new(report), at, ended: Instant::now() };
            *held = Some(made.clone());
            made
        };
        tokio::spawn(running.in_current_span()).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::samples::NIGHT;

    #[derive(Default)]
    struct Stage {
        recent: Recent,
        checks: Arc<AtomicUsize>,
    }

    impl Stage {
        async fn ask(&self, source: Option<&str>) {
            let checks = Arc::clone(&self.checks);
            let check = async move {
                tokio::time::sleep(Duration::from_secs(30)).await;
                checks.fetch_add(1, Ordering::Relaxed);
                (Report::default(), NIGHT)
            };
            let source = source.map(|name| name.parse().unwrap());
            assert_eq!(self.recent.report(source, check).await.unwrap().at, NIGHT);
        }

        fn checks(&self) -> usize {
            self.checks.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_within_two_minutes_share_one_check() {
        let stage = Stage::default();
        futures::join!(stage.ask(None), stage.ask(None), stage.ask(None));
        assert_eq!(stage.checks(), 1);
        tokio::time::advance(FRESH.saturating_sub(Duration::from_millis(1))).await;
        stage.ask(None).await;
        assert_eq!(stage.checks(), 1, "it is fresh until the last moment");
        tokio::time::advance(Duration::from_millis(1)).await;
        stage.ask(None).await;
        assert_eq!(stage.checks(), 2, "and no longer");
    }

    #[tokio::test(start_paused = true)]
    async fn each_source_has_a_report_of_its_own() {
        let stage = Stage::default();
        futures::join!(
            stage.ask(None),
            stage.ask(Some("kv-a")),
            stage.ask(Some("kv-b")),
            stage.ask(Some("kv-a"))
        );
        assert_eq!(stage.checks(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_starts_no_second_check() {
        let stage = Stage::default();
        for _ in 0..5 {
            tokio::select! {
                () = stage.ask(None) => panic!("it takes longer"),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        stage.ask(None).await;
        assert_eq!(stage.checks(), 1);
    }
}

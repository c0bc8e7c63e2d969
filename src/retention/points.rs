//! The plan of a vault: which of its points may go, by what the others name.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

use super::{
    Planned, SourcePlan,
    going::{self, Draft, Going},
    reading::{Before, Reading},
    seen::Seen,
};
use crate::{
    app::App,
    domain::{
        retention::{Kept, Policy, Reason, Verdict},
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

/// The plan of a vault.
pub(super) async fn vault(
    app: &App,
    vault: &SourceName,
    policy: Policy,
    now: OffsetDateTime,
) -> Result<SourcePlan> {
    Reading::of(app, vault, policy, now).await?.plan().await
}

impl Reading<'_> {
    /// Decides about every point.
    async fn plan(self) -> Result<SourcePlan> {
        let mut verdicts = self.verdicts();
        let frees = if verdicts.iter().any(Verdict::drops) {
            self.settle(&mut verdicts).await?.bytes
        } else {
            vec![0; verdicts.len()]
        };
        let needs_consent = self.needs_consent(&verdicts);
        Ok(SourcePlan {
            source: self.source(),
            policy: *self.policy(),
            standstill: self.standstill,
            points: Planned::all(self.candidates, verdicts, frees, needs_consent.is_some()),
            needs_consent,
            pending: self.marks.pending().map(|(run, _)| run.clone()).collect(),
            strays: None,
            forgotten: Vec::new(),
        })
    }

    /// Reads what the kept points name, and keeps every other point of which something may not go.
    ///
    /// Starts again where a point turns out to be kept after all: what was decided before it may depend on it. Each start
    /// keeps one more point, so it ends.
    pub(super) async fn settle(&self, verdicts: &mut [Verdict]) -> Result<Settled<'_>> {
        let mut seen = Seen::new(self.catalogue, self.vault);
        loop {
            let Some((mut kept, mut needs)) = self.name_kept(verdicts).await? else { continue };
            let (mut going, mut bytes, mut settled) = (Going::default(), vec![0; verdicts.len()], true);
            for (at, verdict) in verdicts.iter_mut().enumerate().filter(|(_, verdict)| verdict.drops()) {
                let draft = match going.next(self, at, &kept, &mut seen).await {
                    // What the others come to is asked for once it is known which these are.
                    Ok(Ok(backups)) if settled => going::draft(self, at, backups).await?,
                    Ok(Ok(_)) => continue,
                    Ok(Err(reason)) => Draft { bound: Some(reason), ..Draft::default() },
                    Err(error) if error.is_unreadable() => {
                        *verdict = Verdict::Keep(Reason::Unreadable);
                        settled = false;
                        break;
                    }
                    Err(error) => return Err(error),
                };
                bytes[at] = draft.blobs.iter().map(|blob| blob.bytes).sum();
                if let Some(reason) = draft.bound {
                    *verdict = Verdict::Keep(reason);
                    needs.insert(at, self.name(at, &mut kept).await?);
                    settled = false;
                }
            }
            if settled {
                let copies = self.copies(verdicts, &needs);
                return Ok(Settled { kept, seen, bytes, copies });
            }
        }
    }

    /// Reads the kept points; `None` if one of them cannot be read or folded in another that was to go: then the
    /// verdicts are others now.
    async fn name_kept(&self, verdicts: &mut [Verdict]) -> Result<Option<(Kept, Needs)>> {
        let mut kept = self.nothing_kept();
        let mut needs = Needs::new();
        let mut folded: HashMap<String, RunId> = HashMap::new();
        for (at, _) in verdicts.iter().enumerate().filter(|(_, verdict)| !verdict.drops()) {
            match self.name(at, &mut kept).await {
                Ok(before) => {
                    let run = &self.candidates[at].run;
                    folded.extend(before.folds.iter().map(|name| (name.clone(), run.clone())));
                    needs.insert(at, before);
                }
                Err(error) if error.is_unreadable() => self.cannot_read(at, &mut kept),
                Err(error) => return Err(error),
            }
        }
        let mut changed = false;
        for (at, manifest) in self.manifests.iter().enumerate() {
            if verdicts[at].drops()
                && let Some(run) = folded.get(&manifest.name)
            {
                verdicts[at] = Verdict::Keep(Reason::FoldedInto(run.clone()));
                changed = true;
            }
        }
        Ok((!changed).then_some((kept, needs)))
    }

    /// The kept points that cannot be made again from their plans once the others are gone.
    fn copies(&self, verdicts: &[Verdict], needs: &Needs) -> Vec<usize> {
        let drops = |name: &String| {
            self.manifests.iter().zip(verdicts).any(|(of, verdict)| verdict.drops() && of.name == *name)
        };
        let loses = |before: &Before| before.base.iter().chain(&before.folds).any(drops);
        needs.iter().filter(|(_, before)| loses(before)).map(|(at, _)| *at).collect()
    }
}

/// What was found of a vault of which some points may go.
pub(super) struct Settled<'a> {
    /// What the kept points name.
    pub(super) kept: Kept,
    /// The newer backups that were seen.
    pub(super) seen: Seen<'a>,
    /// The bytes that go with each point.
    pub(super) bytes: Vec<u64>,
    /// The kept points that need a second copy first.
    pub(super) copies: Vec<usize>,
}

/// What each kept point is a change of.
type Needs = BTreeMap<usize, Before>;

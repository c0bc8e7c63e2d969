//! The second place: copying into it what is new in the first, so that it is enough when the first is gone.
//!
//! A pass goes through the vaults, then through the rooms of records. Of a vault it lists the manifests on both sides; a manifest is
//! copied last, so it is the mark that its run is complete there, and a normal night looks only at runs that have none.
//! Everything is added by one create-only request each, with an identity that can do no more there than read and add.
//!
//! Safe to run twice, and to kill anywhere: what is there is never written again, and what a manifest names is there before it.

mod vault;

use futures::{StreamExt as _, stream};
use strum::VariantArray as _;
use time::OffsetDateTime;

use self::vault::Vault;
use crate::{
    app::App,
    azure::container::Transfer,
    catalogue::second::{Missing, Places, Room},
    clock::Clock,
    domain::{
        second::{Reached, SecondPass},
        source::{SourceId, SourceKind},
    },
    error::{Error, Result},
};

/// Vaults that are copied concurrently.
const VAULTS_AT_ONCE: usize = 2;

/// Blobs of a run that are copied concurrently: what one instance with a few hundred megabytes can hold of the largest backups.
const BLOBS_AT_ONCE: usize = 8;

/// What a pass copied, and what it could not copy.
#[derive(Debug, Default)]
pub struct Copied {
    /// Recovery points of vaults that are complete now.
    pub points: usize,
    /// Blobs.
    pub blobs: usize,
    /// Bytes.
    pub bytes: u64,
    /// Backups that points name and that the first place does not have.
    pub lacking: usize,
    /// What could not be copied, and why.
    pub errors: Vec<String>,
}

impl Copied {
    /// What was copied, in words.
    pub fn words(&self) -> String {
        let Self { points, blobs, bytes, .. } = self;
        format!("second place: {points} points complete, {blobs} blobs of {bytes} bytes copied")
    }

    /// What could not be copied, as errors.
    pub fn failures(self) -> Vec<Error> {
        self.errors.into_iter().map(Error::Refused).collect()
    }

    fn add(&mut self, other: Self) {
        self.points += other.points;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.lacking += other.lacking;
        self.errors.extend(other.errors);
    }

    fn blob(&mut self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.blobs += 1;
            self.bytes += bytes;
        }
    }

    fn failed(&mut self, what: &str, error: &Error) {
        tracing::error!(
            event = "second.failed",
            part = what,
            "{what} is not copied into the second place: {error}"
        );
        self.errors.push(format!("{what}: {error}"));
    }

    fn differs(&mut self, names: Vec<String>) {
        for name in names {
            let differs = crate::catalogue::second::DIFFERS;
            tracing::error!(event = "second.differs", blob.name = name, "{name}: {differs}");
            self.errors.push(format!("{name}: {differs}"));
        }
    }
}

/// Copies everything that is new; `None` where the settings name no second place. An error in one part holds up no other.
///
/// # Errors
/// When the vaults cannot be listed, or the pass cannot be recorded.
pub async fn all(app: &App, clock: &Clock) -> Result<Option<Copied>> {
    let Some(second) = app.second() else { return Ok(None) };
    let (first, jobs) = (app.catalogue()?, app.jobs()?);
    let began = clock.now();
    let mut pass = SecondPass::begin(jobs.second_pass().await?, began);
    jobs.note_second_pass(&pass).await?;
    let places = Places::new(first, second, transfer(app)?, began);
    let mut copied = Copied::default();
    let vaults = first.vaults().await?;
    let works: Vec<_> =
        vaults.iter().map(|vault| Vault { places: &places, name: vault, began }.copy()).collect();
    let done: Vec<Copied> = stream::iter(works).buffer_unordered(VAULTS_AT_ONCE).collect().await;
    for done in done {
        copied.add(done);
    }
    for room in Room::VARIANTS {
        copied.add(Box::pin(records(&places, *room)).await);
    }
    pass.sources = reached(&places, &first.sources().await?).await?;
    pass.failed = u32::try_from(copied.errors.len()).unwrap_or(u32::MAX);
    let ended = clock.now();
    pass.ended = Some(ended);
    first.create_second_pass(&pass, ended).await?;
    jobs.note_second_pass(&pass).await?;
    log(&copied, &pass, clock.now());
    Ok(Some(copied))
}

fn transfer(app: &App) -> Result<Transfer> {
    let config = app.config();
    let (Some(first), Some(second)) = (&config.container, &config.second_container) else {
        return Err(Error::Refused("one of the two places is not set".to_owned()));
    };
    let [first, second] = app.patient([first, second])?;
    Ok(Transfer::new(first, second))
}

/// Goes on with a pass that was stopped. One request if there is none; none without a second place.
///
/// # Errors
/// As [`all`].
pub async fn go_on(app: &App, clock: &Clock) -> Result<Option<Copied>> {
    if app.second().is_none() {
        return Ok(None);
    }
    let pass = app.jobs()?.second_pass().await?;
    if pass.is_some_and(|pass| pass.is_left(clock.now())) {
        Box::pin(all(app, clock)).await
    } else {
        Ok(None)
    }
}

/// Copies a room of records, in the order in which they were written, one after the other.
async fn records(places: &Places<'_>, room: Room) -> Copied {
    let mut copied = Copied::default();
    let folders = match places.folders(room).await {
        Ok(folders) => folders,
        Err(error) => {
            copied.failed("a room of records", &error);
            return copied;
        }
    };
    for folder in folders {
        if let Err(error) = folder_of(places, &folder, &mut copied).await {
            copied.failed(&folder, &error);
        }
    }
    copied
}

async fn folder_of(places: &Places<'_>, folder: &str, copied: &mut Copied) -> Result<()> {
    let found = places.records(folder).await?;
    copied.differs(found.differ);
    for record in &found.missing {
        copied.blob(places.copy(record).await?);
    }
    Ok(())
}

/// Copies blobs whose order does not matter, and stops at the first error. Returns those that the first place has let go
/// meanwhile.
async fn blobs(places: &Places<'_>, missing: Vec<Missing>, copied: &mut Copied) -> Result<Vec<Missing>> {
    let copy = |blob: Missing| async move {
        let done = places.copy(&blob).await;
        (blob, done)
    };
    // Each future is made when its turn comes: thousands at once would be the most of what a pass holds.
    let mut works = stream::iter(missing).map(copy).buffer_unordered(BLOBS_AT_ONCE);
    let mut gone = Vec::new();
    while let Some((blob, done)) = works.next().await {
        let bytes = done?;
        copied.blob(bytes);
        gone.extend(bytes.is_none().then_some(blob));
    }
    Ok(gone)
}

async fn reached(places: &Places<'_>, sources: &[SourceId]) -> Result<Vec<Reached>> {
    let mut reached = Vec::with_capacity(sources.len());
    for SourceId { kind, name } in sources {
        let ((newest, behind_since), lacking) = match kind {
            SourceKind::Vault => (places.newest(name).await?, places.lacking(name).await?),
            SourceKind::Hsm => (places.newest_copy(name).await?, 0),
        };
        let lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
        reached.push(Reached { kind: *kind, name: name.clone(), newest, behind_since, lacking });
    }
    Ok(reached)
}

fn log(copied: &Copied, pass: &SecondPass, now: OffsetDateTime) {
    for of in &pass.sources {
        let (name, kind) = (&of.name, of.kind.name());
        if of.is_late(now) {
            tracing::error!(
                event = "second.late", source.name = %name, source.kind = kind,
                behind.hours = of.behind(now).whole_hours(),
                "The second place lacks newer backups of {name} for more than a day"
            );
        } else {
            tracing::info!(
                event = "second.reached", source.name = %name, source.kind = kind,
                "The second place has the newest backups of {name}, or lacks them for less than a day"
            );
        }
    }
    tracing::info!(
        event = "second.copied",
        points.copied = copied.points,
        blobs.copied = copied.blobs,
        bytes.copied = copied.bytes,
        backups.lacking = copied.lacking,
        parts.failed = copied.errors.len(),
        "Copied into the second place: {} points, {} blobs, {} bytes; not copied: {}",
        copied.points,
        copied.blobs,
        copied.bytes,
        copied.errors.len()
    );
}

//! Notes of objects that failed and will be tried again.

use futures::{Stream, StreamExt as _, TryStreamExt as _, future::BoxFuture, pin_mut, stream};
use time::OffsetDateTime;

use super::{Jobs, forms::record_in, metadata};
use crate::{
    azure::container::{Item, Listing},
    domain::{
        job::{
            OPEN_FOR,
            rounds::{NOTE_FORMAT, Note},
        },
        object::ObjectId,
        outcome::Failure,
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

const PREFIX: &str = "failing/";
const KEY: &str = "note";

/// Notes per listing request. Each has about a kilobyte, most of it the failure's text.
const PAGE: u16 = 500;

/// Notes that are deleted concurrently.
const AT_ONCE: usize = 16;

impl Jobs {
    /// Records the newest failure of an object of an open run. Safe to run twice: the later one stays.
    pub async fn note_failing(&self, vault: &SourceName, run: &RunId, note: &Note) -> Result<()> {
        let name = format!("{}{}/{}", of_run(vault, run), note.kind, note.name.folded());
        Ok(self.container.put(&name, metadata(KEY, note)?).await?)
    }

    /// The notes of a run in the order of their objects, page by page. A note that cannot be read becomes a failure
    /// that says so, with the time at which it was written.
    pub fn failing(&self, vault: &SourceName, run: &RunId) -> impl Stream<Item = Result<Vec<Note>>> + use<> {
        let prefix = of_run(vault, run);
        let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: true };
        self.container.list(listing).map(move |page| {
            let page = page?;
            Ok(page.into_iter().filter_map(|item| note_in(&prefix, &item)).collect())
        })
    }

    /// Deletes the notes of a run before its record. Safe to run twice.
    pub async fn forget_failing(&self, vault: &SourceName, run: &RunId) -> Result<()> {
        self.delete_notes(&of_run(vault, run), |_| true).await
    }

    /// Deletes notes that late messages wrote after a vault's runs were closed, once they are older than any open run.
    /// Safe to run twice.
    pub async fn forget_strays(&self, vault: &SourceName, now: OffsetDateTime) -> Result<()> {
        let is_old = |item: &Item| item.modified.is_some_and(|written| now - written >= OPEN_FOR);
        self.delete_notes(&format!("{PREFIX}{vault}/"), is_old).await
    }

    async fn delete_notes(&self, prefix: &str, which: impl Fn(&Item) -> bool) -> Result<()> {
        let pages = self.container.list(Listing { prefix, from: None, page: 5000, metadata: false });
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            let names: Vec<String> = page.into_iter().filter(&which).map(|item| item.name).collect();
            let deletes: Vec<_> = names.into_iter().map(|name| self.delete_note(name)).collect();
            let mut deletes = stream::iter(deletes).buffer_unordered(AT_ONCE);
            while deletes.try_next().await?.is_some() {}
        }
        Ok(())
    }

    /// Boxed, because the compiler cannot prove that a stream of these futures is `Send`.
    fn delete_note(&self, name: String) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { Ok(self.container.delete(&name).await?) })
    }
}

fn of_run(vault: &SourceName, run: &RunId) -> String {
    format!("{PREFIX}{vault}/{run}/")
}

/// The note in a blob. `None` if its name is not that of an object.
fn note_in(prefix: &str, item: &Item) -> Option<Note> {
    let (kind, name) = item.name.strip_prefix(prefix)?.split_once('/')?;
    let id = ObjectId::new(kind.parse().ok()?, name.parse().ok()?);
    let note = record_in::<Note>(&item.name, &item.metadata, KEY, NOTE_FORMAT).ok();
    Some(note.filter(|note| note.id() == id).unwrap_or_else(|| {
        let text = format!("its failure cannot be read: blob {} is damaged or of a newer program", item.name);
        let at = item.modified.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Note::new(&id, Failure::ours("RecordUnreadable", text), at)
    }))
}

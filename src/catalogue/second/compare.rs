//! Two listings in the order of names, blob by blob. A page of each is held at a time.

use std::{collections::VecDeque, pin::Pin};

use futures::{Stream, TryStreamExt as _};

use crate::{
    azure::{container::Item, error::ServiceError},
    domain::second::{Beside, Shown},
    error::Result,
};

type Pages = Pin<Box<dyn Stream<Item = Result<Vec<Item>, ServiceError>> + Send>>;

/// The rest of a listing.
struct Rest {
    pages: Pages,
    page: VecDeque<Item>,
}

impl Rest {
    async fn fill(&mut self) -> Result<()> {
        while self.page.is_empty()
            && let Some(page) = self.pages.try_next().await?
        {
            self.page = page.into();
        }
        Ok(())
    }
}

/// Two listings of one prefix.
pub(super) struct Comparison {
    first: Rest,
    second: Rest,
}

impl Comparison {
    pub(super) fn new(
        first: impl Stream<Item = Result<Vec<Item>, ServiceError>> + Send + 'static,
        second: impl Stream<Item = Result<Vec<Item>, ServiceError>> + Send + 'static,
    ) -> Self {
        let rest = |pages: Pages| Rest { pages, page: VecDeque::new() };
        Self { first: rest(Box::pin(first)), second: rest(Box::pin(second)) }
    }

    /// The next blob, and where it is. Where both have it, as the first place shows it.
    pub(super) async fn next(&mut self) -> Result<Option<(Beside, Item)>> {
        futures::try_join!(self.first.fill(), self.second.fill())?;
        let (first, second) = (&mut self.first.page, &mut self.second.page);
        let Some(beside) = Beside::of(first.front().map(shown), second.front().map(shown)) else {
            return Ok(None);
        };
        let item = match beside {
            Beside::Missing => first.pop_front(),
            Beside::Kept => second.pop_front(),
            Beside::Same | Beside::Differs => {
                second.pop_front();
                first.pop_front()
            }
        };
        Ok(item.map(|item| (beside, item)))
    }
}

pub(super) fn shown(item: &Item) -> Shown<'_> {
    let Item { name, metadata, bytes, md5, .. } = item;
    Shown { name, bytes: *bytes, md5: md5.as_deref(), metadata }
}

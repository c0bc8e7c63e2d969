//! What a drill asks of its vault beyond a restore: everything that is there.

use futures::{TryStreamExt as _, pin_mut};

use super::{
    VaultClient,
    pages::{Item, decode},
};
use crate::{
    azure::error::ServiceError,
    domain::{
        drill::Seen,
        object::{ObjectId, ObjectKind},
    },
};

/// A live object, as far as a drill needs it.
struct Live {
    id: ObjectId,
    managed: bool,
    enabled: bool,
    purgeable: bool,
}

impl VaultClient {
    /// Everything that the vault holds, live and soft-deleted: every list to its last page.
    ///
    /// Whether something may be purged is read from the recovery levels of the marker and of what is soft-deleted: objects of one
    /// vault have the level that the vault has.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn seen(&self) -> Result<Seen, ServiceError> {
        let mut seen = Seen { purgeable: true, ..Seen::default() };
        for kind in ObjectKind::ALL {
            let (asked, pages) = self.live(kind);
            let live = decode(asked, pages, move |item: Item| {
                let (enabled, purgeable) = (item.enabled(), item.purgeable());
                let listed = item.listed(kind)?;
                Ok(Live { id: listed.id, managed: listed.managed, enabled, purgeable })
            });
            pin_mut!(live);
            while let Some(page) = live.try_next().await? {
                for of in page {
                    see(&mut seen, of);
                }
            }
            let deleted = self.list_deleted(kind);
            pin_mut!(deleted);
            while let Some(page) = deleted.try_next().await? {
                for of in page.into_iter().filter(|of| !of.managed) {
                    seen.purgeable &= of.purgeable;
                    seen.deleted.insert(of.id);
                }
            }
        }
        Ok(seen)
    }
}

fn see(seen: &mut Seen, of: Live) {
    if Seen::is_marker(&of.id) {
        seen.marker = of.enabled;
        seen.purgeable &= of.purgeable;
    } else if !of.managed {
        seen.live.insert(of.id);
    }
}

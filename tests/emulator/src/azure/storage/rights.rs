//! Who may do what with blobs.
//!
//! Each request needs an action, as Microsoft's table says ("Authorize with Microsoft Entra ID", permissions for Blob
//! service operations; for versions the page of Delete Blob):
//!
//! | request | needs |
//! |---|---|
//! | Get Container Properties | `containers/read` |
//! | Create Container, Undelete Blob | `containers/write` |
//! | Delete Container | `containers/delete` |
//! | List Blobs, Get Blob, Get Blob Properties, Get Block List | `blobs/read` |
//! | Put Blob and Put Blob From URL of a new name | `blobs/add/action` or `blobs/write` |
//! | the source of Put Blob From URL | `blobs/read`, of the token that came for it |
//! | Put Blob of a name that is taken, Put Block, Put Block List, Set Blob Metadata | `blobs/write` |
//! | Delete Blob, the current version | `blobs/delete` |
//! | Delete Blob, by the id of a version | `blobs/deleteBlobVersion/action` |
//! | Set and Delete Immutability Policy, Put Blob with one | `blobs/immutableStorage/runAsSuperUser/action` |
//! | Set Blob Legal Hold, Put Blob with one | the same; by the table `containers/write`, by the page of conditions not |
//!
//! Not documented, and so a choice of the test: what an identity that may only add is answered for a name that is taken
//! ([`Taken`]). Inferred: that rights are looked at before anything but the existence of the container.

use std::collections::HashMap;

use parking_lot::RwLock;
use serde::Deserialize;

use super::{condition, error::forbidden, immutable};
use crate::azure::{call::Call, operation::Operation, reply::Reply};

/// What an identity may do in a container: a role with actions, and the condition on its assignment.
///
/// `infra/tests` holds the [table](Rights::of) of the identities that the templates make against the templates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rights {
    identity: String,
    account: String,
    /// `*` stands for every container of the account.
    container: String,
    /// Without what stands before the container in Azure's names. A `*` at the end stands for all that begin so.
    actions: Vec<String>,
    /// Where blobs may be added and written. Everywhere if empty.
    #[serde(default)]
    adds_under: Vec<String>,
    /// Where they may not, nevertheless.
    #[serde(default)]
    adds_not_under: Vec<String>,
    /// Where blobs and versions may be deleted. Everywhere if empty.
    #[serde(default)]
    deletes_under: Vec<String>,
}

/// What an identity that may only add is answered for a name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taken {
    /// 409 `BlobAlreadyExists`.
    #[default]
    Conflict,
    /// 403 `AuthorizationPermissionMismatch`, as for a missing right.
    Forbidden,
}

impl Rights {
    /// What the templates give an identity (`backup`, `restore`, `keeper`, `page`, `hsm`), or the pages tell people to have at
    /// a terminal (`person`), in an account: `backups`, `landing`, `host`, which is its own, or `host of` another app.
    ///
    /// # Panics
    /// If the table has no such row: a test is wrong.
    pub fn of(identity: &str, account: &str) -> Self {
        let table = serde_json::from_str::<Vec<Self>>(include_str!("../../../rights.json"));
        let table = table.unwrap_or_else(|error| panic!("the table of rights cannot be read: {error}"));
        let found = table.into_iter().find(|row| row.identity == identity && row.account == account);
        found.unwrap_or_else(|| panic!("no rights of {identity} in {account}"))
    }

    /// The same in a container of another name.
    #[must_use]
    pub fn in_container(self, name: &str) -> Self {
        Self { container: name.to_owned(), ..self }
    }

    /// The same with one more action.
    #[must_use]
    pub fn with(mut self, action: &str) -> Self {
        self.actions.push(action.to_owned());
        self
    }

    /// Where blobs may be added, and nowhere else.
    pub fn adds_under(&self) -> &[String] {
        &self.adds_under
    }

    /// Whether this allows an action on a blob, or on the container itself if there is no name.
    fn allow(&self, container: &str, blob: &str, action: &str) -> bool {
        let held = |known: &String| {
            known.strip_suffix('*').map_or(known == action, |start| action.starts_with(start))
        };
        let begins = |prefixes: &[String]| prefixes.iter().any(|prefix| blob.starts_with(prefix.as_str()));
        let place = match action {
            ADD | WRITE => {
                (self.adds_under.is_empty() || begins(&self.adds_under)) && !begins(&self.adds_not_under)
            }
            DELETE | DELETE_VERSION => self.deletes_under.is_empty() || begins(&self.deletes_under),
            _ => true,
        };
        (self.container == "*" || self.container == container) && self.actions.iter().any(held) && place
    }
}

const READ: &str = "blobs/read";
const ADD: &str = "blobs/add/action";
const WRITE: &str = "blobs/write";
const DELETE: &str = "blobs/delete";
const DELETE_VERSION: &str = "blobs/deleteBlobVersion/action";
const PROTECT: &str = "blobs/immutableStorage/runAsSuperUser/action";
const READ_CONTAINER: &str = "containers/read";
const WRITE_CONTAINER: &str = "containers/write";
const DELETE_CONTAINER: &str = "containers/delete";

/// The rights in an account. Where nobody was given any, everybody may do everything.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// By caller.
    given: RwLock<HashMap<String, Vec<Rights>>>,
    taken: RwLock<Taken>,
}

impl Guard {
    pub(crate) fn give(&self, caller: &str, rights: Rights) {
        self.given.write().entry(caller.to_owned()).or_default().push(rights);
    }

    pub(crate) fn take(&self, caller: &str) {
        self.given.write().insert(caller.to_owned(), Vec::new());
    }

    pub(crate) fn set_taken(&self, taken: Taken) {
        *self.taken.write() = taken;
    }

    /// Whether a caller may read the blobs of a container.
    pub(crate) fn may_read(&self, caller: &str, container: &str) -> bool {
        let given = self.given.read();
        let rights = given.get(caller).map(Vec::as_slice).unwrap_or_default();
        given.is_empty() || rights.iter().any(|of| of.allow(container, "", READ))
    }

    /// Refuses a request that its caller has no right to. `exists` says whether its blob is there.
    pub(crate) fn check(&self, call: &Call, exists: bool) -> Result<(), Reply> {
        let given = self.given.read();
        if given.is_empty() {
            return Ok(());
        }
        let caller = call.token.as_ref().map_or("", |token| &token.caller);
        let rights = given.get(caller).map(Vec::as_slice).unwrap_or_default();
        let blob = call.route.item.as_deref().unwrap_or_default();
        let may = |action: &str| rights.iter().any(|of| of.allow(&call.route.name, blob, action));
        let puts = matches!(call.route.operation, Operation::PutBlob | Operation::PutBlobFromUrl);
        if puts && immutable::is_asked(call) && !may(PROTECT) {
            return Err(forbidden(call));
        }
        let allowed = match call.route.operation {
            Operation::GetContainer => may(READ_CONTAINER),
            Operation::CreateContainer | Operation::UndeleteBlob => may(WRITE_CONTAINER),
            Operation::DeleteContainer => may(DELETE_CONTAINER),
            _ if puts && exists && !may(WRITE) && may(ADD) => {
                return Err(match *self.taken.read() {
                    Taken::Conflict => condition::exists(call),
                    Taken::Forbidden => forbidden(call),
                });
            }
            _ if puts => may(WRITE) || (may(ADD) && !exists),
            Operation::PutBlock | Operation::PutBlockList | Operation::SetBlobMetadata => may(WRITE),
            Operation::DeleteBlob if call.query.get("versionid").is_some() => may(DELETE_VERSION),
            Operation::DeleteBlob => may(DELETE),
            Operation::SetImmutabilityPolicy
            | Operation::DeleteImmutabilityPolicy
            | Operation::SetLegalHold => may(PROTECT),
            _ => may(READ),
        };
        if allowed { Ok(()) } else { Err(forbidden(call)) }
    }
}

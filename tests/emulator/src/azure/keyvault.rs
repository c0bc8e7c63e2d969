//! The Key Vault data plane.
//!
//! Served: the challenge, the lists and their pages, versions, bundles, set, create, update, backup, delete,
//! recover, purge and restore of secrets, keys and certificates, and the making of certificates. Shapes, headers and texts are those of recorded traffic unless the place
//! where they are made says otherwise.

mod access;
mod answer;
mod backup;
mod bundle;
mod error;
mod handle;
mod life;
mod list;
mod making;
mod material;
mod object;
mod snapshot;
mod spec;
mod vault;
mod write;

pub use access::Access;
pub use backup::{BackedUp, BackedUpVersion, BackupError, BackupForm};
pub use handle::VaultHandle;
pub use life::Refusal;
pub use object::{Attributes, Kind, Material};
pub use snapshot::{Snapshot, SnapshotObject};
pub use spec::{CertificateSpec, KeySpec, Properties, SecretSpec};
pub use vault::VaultOptions;

pub(crate) use answer::{
    answer, challenge, damage_backup, decorate, forbidden, ok, rate_limited, state, unknown,
};
pub(crate) use backup::hsm as sealed;
pub(crate) use error::JSON;
pub(crate) use error::{not_found, status_reply, throttled};
pub(crate) use life::{
    object_of,
    rest::{own_restored_name, restored_name},
};
pub(crate) use object::Store;
pub(crate) use vault::{Flavour, Vault};

//! Managed HSMs: their keys, full backups and restores.
//!
//! The keys are those of [`keyvault`](super::keyvault), in the words of an HSM. A backup really writes a
//! folder into emulated storage, and a restore really reads it, under the identity or the token that the
//! request names.
//!
//! Shapes, headers and texts are those of recorded traffic (service versions 7.2-preview to 2025-07-01)
//! unless the place where they are made says otherwise. What a folder holds is not known: its names and its
//! content are ours.

mod access;
mod answer;
mod device;
mod error;
mod folder;
mod handle;
mod job;
mod start;
mod work;

pub use handle::{HsmHandle, HsmOperation, HsmStarts};
pub use job::HsmOperationKind;

pub(crate) use answer::{answer, challenge, decorate};
pub(crate) use device::Hsm;
pub(crate) use error::{forbidden, not_found, status_reply};

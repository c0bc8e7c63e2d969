//! Managed HSMs: their keys, full backups and restores.
//!
//! The keys are those of [`keyvault`](super::keyvault), in the words of an HSM. A backup really writes a
//! folder into emulated storage, and a restore really reads it, under the identity or the token that the
//! request names.
//!
//! Shapes, headers and texts are those of recorded traffic (service versions 7.2-preview to 2025-07-01)
//! unless the place where they are made says otherwise. What is not recorded:
//!
//! | what | known from |
//! |---|---|
//! | the blobs of a folder, their names and content | nothing; they are ours |
//! | folders in the address of a backup's container | the tests of the .NET client, which name them in a restore's folder |
//! | 409 to a start while a backup runs | a report, for a second backup |
//! | 409 to everything else while a restore runs | documentation; the words and a moment after it are recorded |
//! | which code the storage refuses with | documentation; that a refusal shows with code and message is recorded |
//! | a folder of another security domain | documentation; it shows like a folder that is none |
//! | a full restore without a recent backup of the HSM | documentation, in two readings; the words are ours |
//! | 403 | a report |

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
pub(crate) use error::{forbidden, not_found, status_reply, unknown};

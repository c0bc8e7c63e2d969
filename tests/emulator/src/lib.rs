//! Azure and the Functions host, on loopback.
//!
//! Two halves, which know nothing of each other:
//!
//! - [`azure`]: Key Vault, Managed HSM, the managed identity endpoint, and as much Blob and Queue storage as a backup
//!   needs, behind an HTTPS proxy. Whatever honours `HTTPS_PROXY` (this project's release binary, the official
//!   SDKs, `az`) talks to real host names, over real TLS, and goes through the real challenge. No program needs
//!   a test switch for it.
//! - [`host`]: the Functions host, which spawns the real binary and plays timers, queues and HTTP to it.
//!
//! What is not known is refused, never ignored: a header, a parameter, a value or a route that an operation does not know
//! is answered 501, and named. An emulator that passes over it would hide a fault of the program.
//!
//! Neither is ever part of the release binary. An emulator proves nothing by itself: what is known of the service
//! and what is guessed is said where it is answered, and recorded traffic is held against it.

pub mod azure;
pub mod host;
pub mod terminal;
pub mod webhook;

pub use azure::{
    Azure, AzureOptions,
    clock::Clock,
    faults::{Fault, FaultKind, Faults, Fired, Forbidden, Matcher, Subject},
    hsm::{HsmHandle, HsmOperation, HsmOperationKind, HsmStarts},
    keyvault::{
        Access, Attributes, BackedUp, BackedUpVersion, BackupError, BackupForm, CertificateSpec, KeySpec,
        Kind, Material, Properties, Refusal, SecretSpec, Snapshot, SnapshotObject, VaultHandle, VaultOptions,
    },
    knobs::{Delays, Knobs, RateLimit, RestoreLimits},
    operation::{Operation, Service},
    requests::{Entry, RequestLog},
    storage::{
        Keeping, Policy, QueueHandle, QueueMessage, Rights, StorageHandle, StoredBlob, Taken, WriteProtection,
    },
};
pub use webhook::Webhook;

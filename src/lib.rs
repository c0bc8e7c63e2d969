//! The backup operator for Azure Key Vault and Azure Managed HSM, run by Azure Functions as a custom handler, and its command
//! line tool.
//!
//! Azure Key Vault backs up one object per call. This program backs up whole vaults, every night, and
//! accounts for every object: listed = backed up + skipped (with a reason) + failed (with the service's
//! words). README.md and docs/ say how to use it; this page says how it is made.
//!
//! # The parts
//!
//! ```text
//! triggers, api (what the host calls)   cli (what an engineer calls)
//!                 \                    /
//!   nights, backup, restore, hsm, query, preflight, acknowledge (use cases)
//!                 |                    |
//!      jobs (what is open)   catalogue (what is stored, and where)
//!                 \                    /
//!           azure (clients: vault, HSM, container, queue)
//!                           |
//!         domain (pure: what all of the above speak of)
//! ```
//!
//! Arrows only go down.
//!
//! - [`domain`] holds the values and every decision: names, plans, entries, manifests, what an open run
//!   needs. Its page is the glossary. It does no I/O; time is an argument. A plan is computed and stored, and what carries it out
//!   decides nothing: a dry run is a plan that is printed.
//! - [`azure`] holds the official clients and what they leave to their user: the guard that keeps tokens
//!   from foreign hosts, short retries, the pace for each vault, errors in the domain's words.
//! - [`catalogue`] is what is backed up, and the audit trail beside it. There is no database; it is the only
//!   module that knows the name of a blob in its container. Every blob in it is written once.
//! - [`jobs`] remembers which runs and restores are open, in a container of its own, and knows the names there.
//!   Nothing in it is needed to restore.
//! - [`backup`], [`restore`] and [`hsm`] hold the use cases. Each is safe to run twice, and says why. [`begin`] is
//!   what all of them do before anything begins, [`nights`] what begins by a schedule. [`query`] holds those that
//!   only read, [`preflight`] what tells whether any of it can work, [`acknowledge`] what a person at a terminal
//!   answers for.
//! - [`triggers`], [`api`] and [`cli`] decode, call one use case, and say what came of it.
//! - [`app`] puts the parts together from the [`config`], which alone reads the environment.
//!
//! There is no interface with one implementation. The seam for tests is the network: the tests run the
//! real binary against an emulator of Azure and a player of the Functions host (`tests/emulator`).
//!
//! # One secret, from the timer to its blob
//!
//! 1. At 02:00 the host posts to `/NightlyVaultBackup`. [`triggers::envelope`] reads the occurrence out of
//!    the envelope; it names the run: `20261122T020000Z-nightly`. A retry, a late firing or a second
//!    instance name the same run.
//! 2. [`backup::start`] opens the run in [`jobs`], then [`backup::plan`] reads the vault's newest manifest
//!    and lists its secrets, keys and certificates to the last page.
//!    [`domain::planner::Planner`] compares what the list shows of `db-password` with what it showed at
//!    its last backup, and decides: `changed`. The plan is stored create-only.
//! 3. [`backup::send`] puts a message on the queue: vault, run, kind, name; never any material.
//! 4. The host posts the message to `/BackUpObject`. [`backup::object`] finds the secret in the run's plan:
//!    a message says which object of which run, and is believed in nothing else. [`backup::object`] reads the
//!    secret's versions, then asks the vault for its backup, at the pace of the vault's [`azure::limiter`].
//! 5. [`domain::blob`] judges the form of the bytes: a broken one is no backup, one that is not known is stored and said. A
//!    [`domain::entry::Entry`] records digest, size, form, versions, and what was seen of the newest one.
//! 6. [`catalogue::Catalogue::create_backup`] writes the blob with the entry as its metadata, in one
//!    create-only request, so there is no moment with one and not the other:
//!    `vaults/kv-prod/runs/20261122T020000Z-nightly/objects/secret/db-password/backup`.
//! 7. If the vault throttles or does not answer, the request is tried again for a few seconds; then the
//!    invocation fails and the host delivers the message again a minute later, five times in all. A failure that
//!    will not pass is written as an outcome beside where the backup would be. The last one of those that may
//!    is noted in [`jobs`].
//! 8. Every minute the host posts to `/AdvanceJobs`. When each planned object has a backup or an outcome,
//!    [`catalogue::Catalogue::close`] merges plan, results and the manifest before into the run's
//!    manifest, and the run is no longer open. If nothing has come in for a quarter of an hour, the
//!    missing messages are sent again, and then at growing distances: [`domain::job::rounds`]. After the last
//!    round the noted objects have failed, after twenty hours all the missing ones, and the run closes.
//!    A night that its timer missed begins here too: see [`nights`].
//!
//! # One Managed HSM, from the timer to its folder
//!
//! The service does the work, and has neither a list of its operations nor a way to cancel one. So all of it is
//! about one record, an [`HsmJob`](domain::hsm::HsmJob), which each pass takes a step further:
//!
//! 1. `/NightlyHsmBackup` names the run by its occurrence, and [`hsm::start`] opens the job in [`jobs`].
//! 2. [`hsm::reconcile`] asks [`HsmJob::next`](domain::hsm::HsmJob::next), which is pure, what to do, and does it: wait for
//!    a restore, have the service check, start, poll, find a folder, give up.
//! 3. Before the start is sent, the job notes that it is, conditionally on the record being as it was read: of two
//!    processes one sends it. [`azure::hsm`] sends it so that it begins at most once, and says whether an operation may run
//!    all the same.
//! 4. If the answer is lost, or the service tells nothing of the operation any more, nothing is sent again blindly. A
//!    backup's folder is searched for; when it has stopped growing it is the result. A restore leaves no trace to find, and
//!    ends with words that say so.
//! 5. When the service says `Succeeded` and the container holds the folder that it names, the outcome is recorded
//!    in the [`catalogue`], and the job is no longer open.
//!
//! A restore of everything is a job that waits for another one: the backup of its target, which the pass
//! opens. A restore of keys is one operation after the other, with what became of each.
//!
//! A process may die anywhere in this. What it wrote is whole, what it did not write is done by the next
//! delivery or the next minute, and nothing is written twice.

pub mod acknowledge;
pub mod api;
pub mod app;
pub mod attempt;
pub mod azure;
pub mod backup;
pub mod begin;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod hsm;
pub mod jobs;
pub mod nights;
pub mod preflight;
pub mod query;
pub mod restore;
pub mod telemetry;
pub mod triggers;

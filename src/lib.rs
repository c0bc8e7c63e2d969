//! The backup operator for Azure Key Vault and Azure Managed HSM, run by Azure Functions as a custom handler, and its
//! command line tool.
//!
//! Azure Key Vault backs up one object per call. This program backs up whole vaults, every night, and
//! accounts for every object: listed = backed up + skipped (with a reason) + failed (with the service's
//! error). README.md and docs/ say how to use it; this page describes its design.
//!
//! # The parts
//!
//! ```text
//! triggers, api (called by the host)   cli (called by an engineer)
//!                 \                    /
//!   nights, backup, restore, drill, hsm, copies, retention, evidence, query, preflight, acknowledge (use cases)
//!                 |                    |
//!      jobs (open jobs)         catalogue (backups and audit trail)
//!                 \                    /
//!           azure (clients: vault, HSM, container, queue)
//!                           |
//!         domain (pure: values and decisions)
//! ```
//!
//! Arrows only go down.
//!
//! - [`domain`] holds the values and every decision: names, plans, entries, manifests, the next step of an open run.
//!   Its page is the glossary. It does no I/O; time is an argument. A plan is computed and stored, and the code that
//!   carries it out decides nothing: a dry run is a plan that is printed.
//! - [`azure`] holds the official clients and what they leave to their user: the guard that keeps tokens
//!   from foreign hosts, short retries, the pace for each vault, errors in the domain's terms.
//! - [`catalogue`] is the store of backups, with the audit trail beside it. There is no database; it is the only
//!   module that knows the names of blobs in its container. Every blob in it is written once.
//! - [`jobs`] keeps the records of open runs and restores in a container of its own, and knows the names of blobs
//!   there. A restore needs nothing from an old run's jobs.
//! - [`backup`], [`restore`], [`drill`], [`hsm`], [`copies`], [`mod@retention`] and [`evidence`] hold the use cases. Each is
//!   safe to run twice, and says why. [`begin`] has the rules for beginning any job, [`guard`] what the settings demand of a
//!   restore, [`nights`] begins the jobs of a schedule, [`suspects`] those that verification asks for. [`query`]
//!   holds the use cases that only read, [`preflight`] checks whether the others can work, [`notify`] sends word of
//!   what matters, [`acknowledge`] records decisions of a person at a terminal.
//! - [`second`] copies the catalogue into another account, with rights there to read and to add.
//! - [`tell`] renders what a query says for readers outside: as numbers to watch, and as a page to look at.
//! - [`triggers`], [`api`] and [`cli`] decode, call one use case, and report its result.
//! - [`app`] builds the parts from the [`config`], which alone reads the environment.
//!
//! There is no interface with one implementation. The seam for tests is the network: the tests run the
//! real binary against an emulator of Azure and a player of the Functions host (`tests/emulator`).
//!
//! # One secret, from the timer to its blob
//!
//! 1. At 02:00 the host posts to `/NightlyVaultBackup`. [`triggers::envelope`] reads the occurrence from
//!    the envelope; it names the run: `20261122T020000Z-nightly`. A retry, a late firing or a second
//!    instance names the same run.
//! 2. [`backup::start`] opens the run in [`jobs`], then [`backup::plan`] reads the vault's newest manifest
//!    and lists its secrets, keys and certificates to the last page.
//!    [`domain::planner::Planner`] compares the list's attributes of `db-password` with those of its last
//!    backup, and decides: `changed`. The plan is stored create-only.
//! 3. [`backup::send`] puts a message on the queue: vault, run, kind, name; never any material.
//! 4. The host posts the message to `/BackUpObject`. [`backup::object`] finds the secret in the run's plan:
//!    a message names an object and a run, and is trusted for nothing else. [`backup::object`] reads the
//!    secret's versions, then requests its backup, at the pace of the vault's [`azure::limiter`].
//! 5. [`domain::blob`] judges the form of the bytes: a broken form is an error, an unknown one is stored and reported.
//!    A [`domain::entry::Entry`] records digest, size, form, versions, and the attributes of the newest version.
//! 6. [`catalogue::Catalogue::create_backup`] writes the blob with the entry as its metadata, in one
//!    create-only request, so that neither ever exists without the other:
//!    `vaults/kv-prod/runs/20261122T020000Z-nightly/objects/secret/db-password/backup`.
//! 7. If the vault throttles or does not answer, the request is tried again for a few seconds; then the
//!    invocation fails and the host delivers the message again a minute later, five times in all. A final failure
//!    is written as an outcome beside where the backup would be. The last transient one is recorded as a note in
//!    [`jobs`].
//! 8. Every minute the host posts to `/AdvanceJobs`. When each planned object has a backup or an outcome,
//!    [`catalogue::Catalogue::close`] merges plan, results and the previous manifest into the run's
//!    manifest, and the run is closed. If no result has arrived for a quarter of an hour, the
//!    missing messages are sent again, and then at growing intervals: [`domain::job::rounds`]. After the last
//!    round the objects with notes have failed, after twenty hours all the missing ones, and the run closes.
//!    A night that its timer missed begins here too: see [`nights`].
//!
//! # One Managed HSM, from the timer to its folder
//!
//! The service does the work, and has neither a list of its operations nor a way to cancel one. So everything is kept
//! in one record, an [`HsmJob`](domain::hsm::HsmJob), which each pass takes a step further:
//!
//! 1. `/NightlyHsmBackup` names the run by its occurrence, and [`hsm::start`] opens the job in [`jobs`].
//! 2. [`hsm::reconcile`] asks [`HsmJob::next`](domain::hsm::HsmJob::next), which is pure, for the next move, and
//!    carries it out: wait for a restore, have the service check, start, poll, find a folder, give up.
//! 3. Before the start is sent, the intent is recorded by compare-and-swap on the job record: of two processes one
//!    sends it. [`azure::hsm`] sends it so that it begins at most once, and says whether an operation may run
//!    nevertheless.
//! 4. If the answer is lost, or the service no longer reports the operation, the start is not repeated blindly. A pass
//!    searches for a backup's folder; once it has stopped growing it is the result. A restore leaves no trace to find,
//!    and fails with that reason.
//! 5. When the service says `Succeeded` and the container holds the folder that it names, the outcome is recorded
//!    in the [`catalogue`], and the job is closed.
//!
//! A restore of a whole HSM is a job that waits for another one: the backup of its target, which the pass
//! opens. A restore of keys is one operation after the other, with the result of each.
//!
//! A process may die anywhere in this. Every write is complete in itself; the next delivery or the next pass does what
//! is missing, and nothing is written twice.

pub mod acknowledge;
pub mod api;
pub mod app;
pub mod at_once;
pub mod attempt;
pub mod azure;
pub mod backup;
pub mod begin;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod copies;
pub mod domain;
pub mod drill;
pub mod error;
pub mod evidence;
pub mod guard;
pub mod hsm;
pub mod html;
pub mod jobs;
pub mod nights;
pub mod notify;
pub mod preflight;
pub mod query;
pub mod restore;
pub mod retention;
pub mod second;
pub mod stored;
pub mod suspects;
pub mod telemetry;
pub mod tell;
pub mod triggers;
pub mod verification;

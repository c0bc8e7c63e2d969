//! Values and pure functions: everything that the program speaks of, and every decision.
//!
//! Nothing here performs I/O, reads a clock or knows an HTTP status; time is an argument. `domain` depends on nothing
//! above it.
//!
//! # Glossary
//!
//! One word for each concept, and the wire keeps the words of its first release.
//!
//! | term | meaning | where |
//! |---|---|---|
//! | source | a vault or a Managed HSM (Azure's terms for both) | [`source`] |
//! | object, version | a secret, key or certificate, and one of its states (Key Vault) | [`object`], [`versions`] |
//! | run | one backup of a vault, or of some of its objects, named by its occurrence | [`run`] |
//! | plan | what a run or a restore will do, object by object, with reasons; it is stored before it is carried out | [`plan`], [`restore`], [`hsm::HsmPlan`] |
//! | supplement | a later part of a run's plan, for a kind that could not be listed at first | [`supplement`] |
//! | entry | one stored backup of one object | [`entry`] |
//! | form | how the service wraps a backup: known to this program, or not | [`form`] |
//! | outcome | the record of a planned object that got no entry | [`outcome`] |
//! | object status | what became of an object in a run; `fared` on the wire | [`manifest::ObjectStatus`] |
//! | manifest, line | a run's result, written last: one line for each object | [`manifest`] |
//! | index | the newest entry of every object of a vault: the manifest of a whole run, with later ones folded in | [`index`], [`folded`] |
//! | former backup | the backup of an earlier object of a name | [`manifest::Line::former`] |
//! | job | the record of an open run, restore or HSM operation | [`job`], [`restore::RestoreJob`], [`hsm::HsmJob`] |
//! | reconcile | the pass, every minute, that brings each open job closer to its end (Kubernetes controllers) | `backup`, `restore` and `hsm` |
//! | round | one more try of what failed for a reason that may pass, within the night | [`job::rounds`] |
//! | fate | what follows from a failure: retry, a later round, or final | [`fate`] |
//! | step, excluded | what a restore does to one object, and the objects it leaves out; `left` on the wire | [`restore::Step`], [`restore::Excluded`] |
//! | location | tenant, subscription and geography of a vault: backups restore only there; `place` on the wire | [`location`], [`observed_location`] |
//! | gone, loss | an object that is no longer listed; many of them at once | [`loss`] |
//! | recovery point | what a run left that covered its source (NIST) | [`retention`] |
//! | policy, keep, drop | how long points are kept (grandfather-father-son), and what retention decides about one | [`retention`] |
//! | hold | a person's decision that something is kept until the hold is released (Azure's legal hold) | [`retention::Hold`] |
//! | forget | a person's decision that the older backups of an object are offered no longer, and deleted | [`forgotten`] |
//! | pair, approval | a source and a target that it may be restored into; a second person's word for one plan | [`restore::Pairs`], [`restore::Approval`] |
//! | copy | the blobs of an HSM's backup once more, write-once, among the backups; its record is written last | [`hsm::HsmCopy`] |
//! | grant | the right to restore in an HSM, given until a time | [`hsm::RestoreGrant`] |
//! | acknowledge, accept | a person answers for a loss; a person answers for a failure, until a date | [`acknowledged`] |
//! | safety backup | the backup of the target that a restore of a whole HSM needs first | [`hsm`] |
//! | actor | who asked: the schedule, a caller of the API, or a person at a terminal | [`actor`] |
//! | role | what an app is for: backup, restore, both of these, or keeper | [`role`] |
//! | trail | the audit records, in hash-chained sections (append-only logs) | [`audit`] |
//! | verification | a pass that compares what is stored with what was stored, and reads backups again | [`verification`] |
//! | drill | a restore that is rehearsed in a vault made for it, timed, and put on record | [`drill`] |
//! | drill vault, marker | the vault that drills restore into, and the secret by which a person declares it | [`drill::MARKER`] |
//! | evidence, gap | the record of a day, from which reports are made; a day without one, and how old a source's newest backup became | [`evidence`] |
//! | second place, behind | another account with a copy of the catalogue; how long something newer is missing there | [`second`] |
//! | head | the newest record of a section of the trail | [`audit::Head`] |
//! | notice, target | one change of state that is told outside; the webhook that it goes to | [`notice`] |
//! | heartbeat | the call that says outside that a night was clean (dead man's switches) | [`notice::Night`] |
//! | finding | what a check of the installation or a verification found wrong | [`crate::preflight`], [`verification::Finding`] |

pub mod acknowledged;
pub mod actor;
pub mod audit;
pub mod blob;
pub mod bound;
pub mod cause;
pub mod cloud;
pub mod counted;
pub mod day;
pub mod diff;
pub mod digest;
pub mod drill;
pub mod entry;
pub mod evidence;
pub mod failed;
pub mod fate;
pub mod filter;
pub mod first;
pub mod folded;
pub mod forgotten;
pub mod form;
pub mod hsm;
pub mod index;
pub mod job;
pub mod lease;
pub mod lists;
pub mod location;
pub mod loss;
pub mod manifest;
pub mod merge;
pub mod message;
pub mod moment;
pub mod nearest;
pub mod night;
pub mod nothing;
pub mod notice;
pub mod object;
pub mod observed_location;
pub mod outcome;
pub mod plan;
pub mod planned;
pub mod planner;
pub mod progress;
pub mod record;
pub mod restore;
pub mod retention;
pub mod right;
pub mod role;
pub mod run;
#[cfg(test)]
pub(crate) mod samples;
pub mod schedule;
pub mod second;
pub mod source;
pub mod state;
pub mod stored_version;
pub mod supplement;
pub mod tags;
pub mod verification;
pub mod version;
pub mod versions;
pub mod watch;
pub mod wording;

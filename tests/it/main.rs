//! Behaviour, through the real binary: the emulated Azure on one side, the player of the Functions host on
//! the other.

#![expect(clippy::expect_used, reason = "a test that cannot go on stops")]
#![expect(unreachable_pub, reason = "one crate; nothing outside it sees its items")]

mod checks;
mod hsm_stage;
mod hsm_starts;
mod hsm_world;
mod recorded;
mod wire;
mod world;

mod acknowledged;
mod api;
mod cli;
mod conformance;
mod conformance_life;
mod contract;
mod crashes;
mod damage;
mod damage_index;
mod damage_restores;
mod documents;
mod endings;
mod faults;
mod flood;
mod forged;
mod formats;
mod former;
mod history;
mod hostile;
mod hsm_cli;
mod hsm_client;
mod hsm_conformance;
mod hsm_folders;
mod hsm_key_restores;
mod hsm_nights;
mod hsm_prefix;
mod hsm_recordings;
mod hsm_restore_trouble;
mod hsm_restores;
mod hsm_trouble;
mod identity;
mod kinds;
mod large_index;
mod late;
mod listed_late;
mod lists;
mod losses;
mod merging;
mod moved;
mod nightly;
mod nothing;
mod occurrences;
mod packed;
mod pages;
mod plans;
mod point_in_time;
mod preflight;
mod readme;
mod recordings;
mod restore;
mod restore_crashes;
mod restore_twice;
mod roles;
mod rounds;
mod rounds_nights;
mod runbooks;
mod serve;
mod stopping;
mod storage;
mod tags;
mod throttling;
mod trail;
mod unknown_forms;
mod unlisted;

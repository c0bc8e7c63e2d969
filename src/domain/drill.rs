//! Drills: restores that are rehearsed in a vault made for them, timed, and put on record.
//!
//! A drill restores a sample of a source into its drill vault, compares it as every restore is compared, and deletes and
//! purges it there. [`OpenDrill`] is the record of one that is under way: [`OpenDrill::next`] says what its next step is,
//! from the record alone, so that any process goes on where another one died. [`Drill`] is what it came to.

mod fit;
mod forecast;
mod hsm;
mod id;
mod judge;
mod open;
mod record;
mod sample;
mod seconds;
mod settings;
mod why;

pub use self::{
    fit::{MARKER, Seen, Unfit},
    forecast::Whole,
    hsm::{HSM_MARKER, HsmDrilled, OPEN_HSM_DRILL_FORMAT, OpenHsmDrill, ServiceCheck, fit_hsm, is_marker},
    id::{DrillId, DrillIdError},
    judge::judge,
    open::{
        CLEANS_WITHIN, Drilled, IS_LEFT_AFTER, Next, OPEN_DRILL_FORMAT, OpenDrill, Plan, Point,
        RESTORES_WITHIN, TRUST, Verdict,
    },
    record::{Came, CleanedUp, DRILL_FORMAT, Drill, DrillSummary, DrilledObject, NOT_PROVEN},
    sample::{Counts, chosen, other_point},
    seconds::Seconds,
    settings::{DrillHsm, DrillOf, Drills, Targets},
    why::{Rehearsed, Why},
};
use super::digest::Hash;

/// What decides which objects a drill draws. It is on record, so that anybody can draw them again.
pub type Seed = Hash<8>;

//! Retention: which recovery points and backups are kept, and why.
//!
//! A **recovery point** is what a run left that covered its source: its manifest, or the record of a backup of a whole
//! HSM. Retention is mark and sweep. [`plan`] picks points by a [`Policy`] and gives every point a verdict with its
//! reason. A backup may go only if a point that is let go named it and no kept point does, and only if [`Kept::judge`]
//! finds evidence that a newer good state takes its place, or that its object has been gone for long. A point whose
//! backups may not all go is kept, so everything that stays can be restored from a point that is offered.
//!
//! Silence is no evidence. A source that is not healthy keeps everything ([`Standstill`]), and so does what cannot be
//! read. What no point ever named is not decided about here: it stays.

mod backups;
mod decision;
#[cfg(test)]
mod histories;
mod hold;
mod last_pass;
mod plan;
mod policy;
mod reason;
mod record;
mod second;
mod standstill;

pub use self::{
    backups::{Judged, Kept, Ruling, Successor, Terms},
    decision::{Act, CONSENT_FOR, DECISION_FORMAT, Decision},
    hold::{HOLD_FORMAT, Hold, HoldAct, HoldScope, Ticket, TicketError},
    last_pass::LastPass,
    plan::{Candidate, PointKind, Verdict, needs_consent, plan, withheld},
    policy::{Period, Pick, Policies, PoliciesError, Policy, PolicyError},
    reason::{Dropped, Reason, Unproved},
    record::{DROP_FORMAT, Drop, DroppedBlob, Mark, Store, pause},
    second::{agreed, policy_of_second},
    standstill::Standstill,
};

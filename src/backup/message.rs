//! One message of the queue: its object is backed up, and a run of a few objects is closed with its last one.

use super::{
    last,
    object::{Done, note, try_planned},
};
use crate::{
    app::App,
    attempt::{Attempt, in_time},
    clock::Clock,
    domain::{
        fate::Fate,
        job::rounds::one_round,
        message::Message,
        plan::{Plan, PlanHeader},
        planned::Planned,
    },
    error::{Error, Result},
};

/// How long the first attempt of a message trusts that a run seen open is still open. Checking for every message would
/// cost one more request per object.
const BELIEVED_OPEN: time::Duration = time::Duration::MINUTE;

/// Backs up the object that a message asks for, if the plan of its run backs it up.
///
/// A transient failure is no outcome. It is returned as an error while the message has deliveries left that may help;
/// then it is recorded as a note, and the run's rounds continue: see [`rounds`](crate::domain::job::rounds).
///
/// Safe to run twice, concurrently or later, as [`back_up_planned`](super::object::back_up_planned) is. A copy of a message that arrives after its run
/// closed changes nothing, with one exception: the first delivery of a copy within a minute of the close may store a
/// backup of an object that had failed. No manifest names that backup, and `rebuild` reports it.
///
/// # Errors
/// When there is no such run, or its plan does not back the object up: this program did not send such a message, and
/// records nothing for it. Otherwise transient failures, while a delivery may help, and a note that cannot be written.
pub async fn back_up(app: &App, message: &Message, attempt: Attempt, clock: &Clock) -> Result<Done> {
    app.vault(&message.vault)?;
    let catalogue = app.catalogue()?;
    let unknown = || Error::Refused(format!("there is no run {} of vault {}", message.run, message.vault));
    let known = catalogue.known_run(&message.vault, &message.run, message.kind).await?.ok_or_else(unknown)?;
    let planned = planned(&known.plan, message)?;
    let believed = if attempt == Attempt::First { BELIEVED_OPEN } else { time::Duration::ZERO };
    if catalogue.was_closed(&known, believed, clock.now()).await? {
        return Ok(Done::Closed);
    }
    let header = &known.plan.header;
    let work = Box::pin(try_planned(app, header, planned, clock));
    match in_time(format!("the backup of {}", planned.id()), work).await {
        Err(error) if error.fate().may_pass() && !is_redelivered(header, error.fate(), attempt) => {
            note(app, header, planned, error.failure(), clock).await
        }
        Ok(done) => {
            Box::pin(last::close(app, &known.plan, clock)).await;
            Ok(done)
        }
        error => error,
    }
}

/// Whether the remaining deliveries of a message are used. A right or network rule that is being changed takes longer
/// than they last, so they help only in a run with one round, which has nothing after them.
fn is_redelivered(header: &PlanHeader, fate: Fate, attempt: Attempt) -> bool {
    let soon = fate == Fate::Retry || one_round(header.by.as_ref());
    attempt != Attempt::Last && soon
}

/// The plan's entry for the object that a message asks for.
fn planned<'p>(plan: &'p Plan, message: &Message) -> Result<&'p Planned> {
    let (id, header) = (message.id(), &plan.header);
    let planned = plan.find(&id).filter(|planned| planned.decision.backs_up());
    planned.ok_or_else(|| {
        Error::Refused(format!("run {} of vault {} does not back up {id}", header.run, header.vault))
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use time::macros::datetime;

    use super::*;
    use crate::domain::{actor::Actor, run::RunId, run::Scope};

    #[tokio::test(start_paused = true)]
    async fn a_try_that_takes_too_long_is_stopped() {
        let tried = in_time("it".into(), pending::<Result<()>>()).await;
        assert!(matches!(tried, Err(Error::Deadline { .. })), "{tried:?}");
    }

    #[test]
    fn deliveries_are_used_where_they_may_help() {
        let at = datetime!(2026-11-22 02:00 UTC);
        let of = |by| PlanHeader {
            by,
            ..PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(at), Scope::Vault, at)
        };
        let (timer, asked) = (of(Some(Actor::TIMER)), of(Some(Actor::http(None, None))));
        for (header, fate, attempt, expected) in [
            (&timer, Fate::Retry, Attempt::First, true),
            (&timer, Fate::Retry, Attempt::Again, true),
            (&timer, Fate::Retry, Attempt::Last, false),
            (&timer, Fate::Later, Attempt::First, false),
            (&of(None), Fate::Later, Attempt::First, false),
            (&asked, Fate::Later, Attempt::Again, true),
            (&asked, Fate::Later, Attempt::Last, false),
        ] {
            assert_eq!(is_redelivered(header, fate, attempt), expected, "{fate:?} {attempt:?}");
        }
    }
}

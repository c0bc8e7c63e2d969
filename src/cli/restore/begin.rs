//! The beginning of a restore at a terminal: what is recorded, and what it takes.

use super::RestoreArgs;
use crate::{
    api::shapes::problem::ProblemKind,
    app::App,
    begin::{Name, Opened},
    cli::Failed,
    clock::Clock,
    domain::{
        actor::Actor,
        restore::{RestoreId, RestorePlan},
        second::Place,
    },
    error::Error,
    restore::start::{self, Began},
};

/// Records that the restore begins, unless it goes without records. From the second place it is on the trail there and nowhere
/// else: nothing takes the target, and nothing goes on with the restore when this terminal is gone.
pub(super) async fn begun(
    args: &RestoreArgs,
    app: &App,
    plan: &RestorePlan,
) -> Result<Option<RestoreId>, Failed> {
    if args.unrecorded {
        return Ok(None);
    }
    if args.from.place() == Place::First {
        return open(app, plan, args.hand_over).await.map(Some);
    }
    if args.hand_over {
        return Err(Failed::new(
            "a restore from the second place cannot be handed over, because no app has a right there",
            "leave out --hand-over",
        ));
    }
    let clock = Clock::system();
    let told = start::tell(app, &Name::new(&clock), plan, &Actor::TERMINAL, &clock).await;
    told.map_err(|error| unrecorded(&error))?;
    Ok(None)
}

fn unrecorded(error: &Error) -> Failed {
    Failed::new(
        format!("nothing was restored, because it cannot be recorded: {error}"),
        "mend that, as `keyvault-backup preflight` says, or go ahead without records with --unrecorded",
    )
}

/// Takes the target and records the restore.
async fn open(app: &App, plan: &RestorePlan, hand_over: bool) -> Result<RestoreId, Failed> {
    let clock = Clock::system();
    let name = Name::new(&clock);
    let opened = start::open(app, name, plan, &Actor::TERMINAL, Began { hand_over, approval: None }, &clock)
        .await
        .map_err(|error| unrecorded(&error))?;
    match opened {
        Opened::Ours(stored) => Ok(stored.job.id),
        Opened::Taken(other) => Err(Failed::of(
            ProblemKind::TargetTaken,
            format!("restore {other} is running on vault {}", plan.request.target),
            format!(
                "wait until it ends, as `keyvault-backup jobs` shows, or end it with `keyvault-backup jobs abandon {other}`"
            ),
        )),
    }
}

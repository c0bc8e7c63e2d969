//! `retention forget`: backups of an object that must not exist any longer.

use clap::Args;

use super::{
    super::{
        Done, Exit, Failed, ObjectArgs, SourceArg,
        output::{self, Column, Format, Table, bytes, count},
    },
    app,
};
use crate::{
    api::shapes::terminal::RetentionForget,
    clock::Clock,
    domain::{acknowledged::Reason, actor::Actor, object::ObjectId, source::SourceName},
    retention::forget::{self, LeftInSecond, StoredBackup},
};

/// The objects that are forgotten.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    #[command(flatten)]
    source: SourceArg,
    #[command(flatten)]
    objects: ObjectArgs,
    /// Do it. Without this, what would be deleted is shown
    #[arg(long, requires = "reason")]
    pub(super) really: bool,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
}

/// Shows what would be deleted, or deletes it.
pub(super) async fn forget(args: ForgetArgs, format: Format) -> Done {
    let objects = args.objects.objects();
    if objects.is_empty() {
        return Err(Failed::new(
            "no object is named, and only named objects are forgotten",
            "name each one, with --secret, --key or --certificate",
        ));
    }
    args.source.may_hold(objects.iter().map(|of| of.kind))?;
    let (app, clock, vault) = (app()?, Clock::system(), args.source.vault.name());
    let reason = args.reason.filter(|_| args.really);
    let backups = match &reason {
        None => forget::plan(&app, vault, &objects, clock.now()).await?,
        Some(reason) => forget::forget(&app, vault, &objects, reason, (&Actor::TERMINAL, &clock)).await?,
    };
    let done = reason.is_some();
    let second = forget::left_in_second(&app, vault, &objects, clock.now()).await;
    let second = second.map_err(|error| error.to_string()).transpose();
    if format.is_json() {
        output::json(&RetentionForget::new(vault, done, &backups).in_second(second.as_ref()))?;
    } else {
        table(&backups, done).print(format)?;
        say(vault, &objects, &backups, done, format)?;
        if let Some(second) = &second {
            output::aside(format, in_second(second))?;
        }
    }
    let stays = backups.iter().filter(|backup| backup.stays.is_some()).count();
    Ok(if done && stays > 0 { Exit::Part } else { Exit::All })
}

/// What the second place has of them, and until when.
fn in_second(second: &Result<LeftInSecond, String>) -> String {
    match second {
        Ok(LeftInSecond { backups: 0, .. }) => "The second place has no backup of them.".to_owned(),
        Ok(LeftInSecond { backups, until }) => format!(
            "The second place has {} of them: from {until} on its owners can let all of them go, with \
             `keyvault-backup retention apply --second`; no app can.",
            count(*backups, "backup")
        ),
        Err(why) => format!("What the second place has of them is not known: {why}"),
    }
}

fn table(backups: &[StoredBackup], done: bool) -> Table {
    let mut table = Table::new(
        &[Column::name("object"), Column::name("run")],
        &[Column::number("size"), Column::label("state"), Column::prose("why").if_any()],
    );
    let now = if done { "deleted" } else { "can go" };
    for backup in backups {
        let state = if backup.stays.is_none() { now } else { "stays" };
        table.push([
            backup.object.to_string().into(),
            backup.run.to_string().into(),
            bytes(backup.version.bytes).into(),
            state.into(),
            backup.stays.as_ref().map(ToString::to_string).into(),
        ]);
    }
    table
}

fn say(
    vault: &SourceName,
    objects: &[ObjectId],
    backups: &[StoredBackup],
    done: bool,
    format: Format,
) -> Result<(), Failed> {
    let stays = backups.iter().filter(|backup| backup.stays.is_some()).count();
    let goes = backups.len() - stays;
    let names: Vec<_> = objects.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    if done {
        output::aside(
            format,
            format_args!(
                "{names} of {vault}: no older backup is offered any longer; {} deleted.",
                count(goes, "backup")
            ),
        )?;
        output::aside(
            format,
            "What is still in its vault is backed up again the next night. Where the account keeps deleted blobs, they \
             can be brought back until that time is over.",
        )?;
    } else {
        output::aside(
            format,
            format_args!(
                "{} of {names} in {vault}; {goes} of them can go now. To delete them, add --really --reason TEXT.",
                count(backups.len(), "stored backup")
            ),
        )?;
    }
    if stays > 0 {
        output::aside(
            format,
            format_args!(
                "What stays ({}) goes with a pass of the keeper, once it may.",
                count(stays, "backup")
            ),
        )?;
    }
    Ok(())
}

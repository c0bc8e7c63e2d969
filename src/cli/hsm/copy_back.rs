//! `hsm copy-back`: the write-once copy of a backup, put where an HSM can read it.

use clap::Args;

use super::{HsmArg, app_for_in};
use crate::{
    api::shapes::terminal::HsmCopiedBack,
    cli::{
        Done, Exit, FromArg,
        output::{self, Cell, Column, Format, Table, bytes, count},
    },
    clock::Clock,
    copies::back,
    domain::{actor::Actor, run::RunId},
};

/// Put the write-once copy of a backup back into the container that Managed HSMs restore from.
#[derive(Debug, Args)]
pub struct CopyBackArgs {
    #[command(flatten)]
    hsm: HsmArg,
    /// The backup of this run; the newest one that has a copy by default
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    #[command(flatten)]
    from: FromArg,
}

/// Runs the command. It adds blobs under `restored/` and changes nothing else.
pub(super) async fn run(args: CopyBackArgs, format: Format) -> Done {
    let (app, clock) = (app_for_in(&args.hsm.hsm, args.from)?, Clock::system());
    let name = args.hsm.hsm.name();
    let done = Box::pin(back::bring(&app, name, args.run.as_ref(), &Actor::TERMINAL, &clock)).await?;
    let shape = HsmCopiedBack::new(&done, args.from.place());
    if format.is_json() {
        output::json(&shape)?;
        return Ok(Exit::All);
    }
    let sentence = format!(
        "The copy of {} of HSM {name} is in folder {}: {}, {}, of which {} were there before, as its record has it.",
        done.backup.run,
        done.folder,
        count(done.blobs, "blob"),
        bytes(done.bytes),
        done.blobs - done.added
    );
    let columns = [Column::name("folder"), Column::number("blobs"), Column::number("size")];
    let mut table = Table::new(&[Column::name("source"), Column::name("run")], &columns);
    let [source, run, folder] =
        [name.to_string(), done.backup.run.to_string(), done.folder.clone()].map(Cell::from);
    table.push([source, run, folder, Cell::Number(done.blobs as u64), Cell::Bytes(done.bytes)]);
    output::one(format, sentence, &table)?;
    output::aside(format, format_args!("To restore from it: {}", shape.command))?;
    Ok(Exit::All)
}

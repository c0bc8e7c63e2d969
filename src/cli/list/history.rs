//! `list history`: every backup of one object.

use clap::Args;

use super::super::{
    Done, Exit, Failed, FromArg, ObjectArgs, SourceArg, app_for_in,
    output::{self, Cell, Column, Format, Table},
};
use crate::{
    api::shapes::{self, problem::ProblemKind},
    catalogue::Point,
    config::Needs,
    domain::location::Apart,
    error::Error,
    query::objects::{self, History},
};

/// The backups of one object.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    vault: SourceArg,
    #[command(flatten)]
    object: ObjectArgs,
    #[command(flatten)]
    from: FromArg,
}

pub(super) async fn history(args: HistoryArgs, format: Format) -> Done {
    let id = args.object.one()?;
    args.vault.may_hold([id.kind])?;
    let app = app_for_in(&args.vault.vault, Needs::Storage, args.from)?;
    let vault = &args.vault.vault;
    let (points, reach, readings) = match objects::history(&app, vault.name(), &id).await? {
        History::Points { backups, reach, readings } => (backups, reach, readings),
        History::Nothing(nothing) => return Err(Error::from(*nothing).into()),
        History::NoBackup => {
            let name = vault.name();
            return Err(Failed::of(
                ProblemKind::NotFound,
                format!("there is no backup of {id} of {name}"),
                format!(
                    "`keyvault-backup show RUN --vault {name}` of the newest run says why; `keyvault-backup list runs --vault \
                     {name}` names it"
                ),
            ));
        }
    };
    if format.is_json() {
        output::json(&shapes::backup::History::new(&points, (reach, &readings), None, usize::MAX))?;
        return Ok(Exit::All);
    }
    let details = [
        Column::name("run"),
        Column::name("verified").if_any(),
        Column::number("versions"),
        Column::name("newest version").wide(),
        Column::number("size"),
        Column::name("SHA-256"),
        Column::prose("form").if_any(),
        Column::prose("not restorable here").if_any(),
        Column::prose("older ones").if_any(),
    ];
    let mut table = Table::new(&[Column::name("taken")], &details);
    for (at, Point { entry, apart, gap }) in points.iter().enumerate() {
        let form = entry.form.unknown().map(|clear| format!("not known: {clear}"));
        table.push([
            entry.taken.into(),
            entry.run.as_str().into(),
            readings.last_good(entry, at == 0).into(),
            entry.versions.into(),
            entry.newest.to_string().into(),
            Cell::Bytes(entry.bytes),
            (&entry.sha256).into(),
            form.into(),
            apart.map(Apart::text).into(),
            gap.then_some("some were let go by retention").into(),
        ]);
    }
    table.print(format)?;
    Ok(Exit::All)
}

//! `hsm check`: the service's own checks before a backup or a restore.

use clap::Args;

use super::{HsmArg, app_for, report::failure_text};
use crate::{
    api::shapes::terminal::HsmCheck,
    cli::{
        Done, Exit,
        output::{self, Column, Format, Table},
    },
    domain::{run::RunId, source::SourceName},
    hsm::check::{self, Checked},
};

/// Ask the service whether a backup or a restore could be made.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    hsm: HsmArg,
    /// Check the restore of this run's backup instead of a backup
    #[arg(long, value_name = "RUN")]
    restore: Option<RunId>,
    /// The HSM whose backup that is, by its name; the same one by default
    #[arg(long, value_name = "NAME", requires = "restore")]
    from: Option<SourceName>,
}

/// Runs the command.
pub(super) async fn run(args: CheckArgs, format: Format) -> Done {
    let app = app_for(&args.hsm.hsm)?;
    let hsm = args.hsm.hsm.name();
    let (what, checked) = match &args.restore {
        None => ("backup", check::backup(&app, hsm).await?),
        Some(run) => {
            let source = args.from.as_ref().unwrap_or(hsm);
            ("restore", check::restore(&app, hsm, source, run).await?)
        }
    };
    print(&checked, hsm, what, format)?;
    Ok(match checked {
        Checked::Possible => Exit::All,
        Checked::CannotBeAsked(_) => Exit::Part,
        Checked::NotPossible(_) => Exit::None,
    })
}

fn print(checked: &Checked, hsm: &SourceName, what: &'static str, format: Format) -> std::io::Result<()> {
    let (possible, failure) = match checked {
        Checked::Possible => (Some(true), None),
        Checked::NotPossible(failure) => (Some(false), Some(failure)),
        Checked::CannotBeAsked(failure) => (None, Some(failure)),
    };
    if format.is_json() {
        return output::json(&HsmCheck::new(hsm, what, possible, failure));
    }
    let why = || failure_text(failure);
    let sentence = match possible {
        Some(true) => format!("The service says that a {what} of HSM {hsm} can be made."),
        Some(false) => format!("A {what} of HSM {hsm} cannot be made: {}", why()),
        None => format!("The service cannot be asked whether a {what} of HSM {hsm} can be made: {}", why()),
    };
    let columns = [Column::name("check"), Column::name("possible"), Column::prose("why")];
    let mut table = Table::new(&[Column::name("source")], &columns);
    let possible = possible.map_or("unknown", |possible| if possible { "yes" } else { "no" });
    table.push([hsm.to_string().into(), what.into(), possible.into(), failure.map(|_| why()).into()]);
    output::one(format, sentence, &table)
}

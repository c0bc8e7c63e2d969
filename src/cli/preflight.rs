//! `preflight`: faults of the installation, and how to fix them.

mod page;

use super::{
    Done, Exit,
    output::{self, Format, Stream},
};
use crate::{
    api::shapes::preflight::Preflight,
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    preflight::{self, findings::group::grouped},
};

/// Runs the command. The exit code is 0 if all is well, 1 if something has to be done or is unknown, 2 if nothing could
/// be checked.
///
/// # Errors
/// When settings are wrong, with all faults at once.
pub async fn run(format: Format) -> Done {
    let (app, clock) = (App::build(&Config::read(environment, Needs::Backup)?)?, Clock::system());
    let report = preflight::check(&app, false, &clock).await;
    let exit = match &report {
        report if report.is_blind() => Exit::None,
        report if report.is_well() => Exit::All,
        _ => Exit::Part,
    };
    let groups = grouped(&report.findings);
    match format {
        Format::Json => output::json(&Preflight::new(report, clock.now()))?,
        Format::Tsv => page::table(&groups, &report).print(format)?,
        Format::Table | Format::Wide => {
            let (out, hidden) = (Stream::Out, page::Hidden(0));
            out.print(&page::text(&groups, hidden, &report, out.width()))?;
        }
    }
    Ok(exit)
}

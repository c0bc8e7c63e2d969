//! `--from`: the place that a command reads.

use clap::{Args, ValueEnum};

use super::Failed;
use crate::{
    app::App,
    config::{Config, Needs, environment},
    domain::second::Place,
};

/// The variable that names the second place.
const SECOND: &str = "KEYVAULT_BACKUP_SECOND_CONTAINER";

/// The variable that names the container of open jobs.
const JOBS: &str = "KEYVAULT_BACKUP_JOBS_CONTAINER";

/// The place that a command reads.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct FromArg {
    /// Read `second`, the copy that `KEYVAULT_BACKUP_SECOND_CONTAINER` names; nothing of the first account is needed
    #[arg(long, value_enum, value_name = "PLACE", default_value_t = From::First, hide_default_value = true)]
    from: From,
}

// Without words for each value: with them the help of every command would be twice as long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum From {
    #[default]
    First,
    Second,
}

impl FromArg {
    /// The place.
    pub fn place(self) -> Place {
        match self.from {
            From::First => Place::First,
            From::Second => Place::Second,
        }
    }

    /// The program on that place.
    ///
    /// # Errors
    /// When settings are missing or wrong.
    pub fn app(self, needs: Needs) -> Result<App, Failed> {
        self.app_with(environment, needs)
    }

    /// The program on that place, with settings in front of the environment. In the second place no job runs, so whatever the
    /// command needs, it gets no job and no queue of the first.
    ///
    /// # Errors
    /// As [`FromArg::app`].
    pub(super) fn app_with(
        self,
        lookup: impl Fn(&str) -> Option<String>,
        needs: Needs,
    ) -> Result<App, Failed> {
        if self.place() == Place::First {
            return Ok(App::build(&Config::read(lookup, needs)?)?);
        }
        let lookup = |name: &str| lookup(name).filter(|_| name != JOBS);
        second(lookup, needs.min(Needs::Storage))
    }
}

/// The program on the second place, with settings in front of the environment. Where a command follows jobs of its own, they are
/// in the container that is set for them.
///
/// # Errors
/// As [`FromArg::app`].
pub(super) fn second(lookup: impl Fn(&str) -> Option<String>, needs: Needs) -> Result<App, Failed> {
    if lookup(SECOND).is_none() {
        return Err(Failed::new(
            format!("{SECOND} is not set, so there is no second place to read"),
            "set it to the URL of the container there, as in https://ACCOUNT.blob.core.windows.net/backups",
        ));
    }
    let lookup = |name: &str| match name {
        "KEYVAULT_BACKUP_CONTAINER" => lookup(SECOND),
        SECOND | "KEYVAULT_BACKUP_QUEUE__queueServiceUri" => None,
        name => lookup(name),
    };
    let config = Config::read(lookup, needs)?;
    Ok(App::build(&Config { place: Place::Second, ..config })?)
}

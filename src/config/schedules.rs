//! The settings of the timers, which the host reads too.
//!
//! A schedule that this program cannot parse does not keep it from starting, because the host may understand it. Nights
//! that the timer misses are then not made up for, and `preflight` reports it.

use super::Reader;
use crate::domain::{night::Timer, schedule::Timetable};

const VAULTS: &str = "VAULT_BACKUP_SCHEDULE";
const HSMS: &str = "HSM_BACKUP_SCHEDULE";

/// The schedules of the timers.
#[derive(Clone, Debug)]
pub struct Schedules {
    vaults: Timetable,
    hsms: Timetable,
}

impl Schedules {
    /// Each timer with the name of its setting and its timetable.
    pub fn each(&self) -> [(Timer, &'static str, &Timetable); 2] {
        [(Timer::Vaults, VAULTS, &self.vaults), (Timer::Hsms, HSMS, &self.hsms)]
    }

    /// Each timer with its timetable.
    pub fn timers(&self) -> [(Timer, &Timetable); 2] {
        self.each().map(|(timer, _, table)| (timer, table))
    }
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn schedules(&self) -> Schedules {
        let zones = ["WEBSITE_TIME_ZONE", "TZ"];
        let zones: Vec<_> = zones.iter().filter_map(|name| Some((*name, (self.lookup)(name)?))).collect();
        let table = |name: &str, timer: Timer| {
            Timetable::new((self.lookup)(name).as_deref(), self.is_off(timer.function()), &zones)
        };
        Schedules { vaults: table(VAULTS, Timer::Vaults), hsms: table(HSMS, Timer::Hsms) }
    }

    /// Whether a function is disabled. If names of variables cannot have dots, the platform writes `_`.
    fn is_off(&self, function: &str) -> bool {
        let names =
            [format!("AzureWebJobs.{function}.Disabled"), format!("AzureWebJobs_{function}_Disabled")];
        let off = |value: String| matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "1");
        names.iter().any(|name| (self.lookup)(name).is_some_and(off))
    }
}

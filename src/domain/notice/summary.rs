//! The weekly summary: on Monday at 08:00 UTC, or at the first pass after it.

use time::{Duration, OffsetDateTime, Time};

use super::{Notice, Severity, Told};
use crate::domain::{
    counted::counted,
    moment::{day, minute},
    state::{Objects, SourceState, Trouble},
};

/// The hour of Monday at which it is due.
const HOUR: i64 = 8;

/// Sources with troubles that are named.
const NAMED: usize = 10;

impl Told {
    /// The summary, if one is due. The first is due on the first Monday after the first pass.
    pub fn weekly(&mut self, sources: &[&SourceState], now: OffsetDateTime) -> Option<Notice> {
        let monday = monday(now);
        let last = self.summary.replace(monday)?;
        if monday <= last {
            self.summary = Some(last);
            return None;
        }
        let is_well = !sources.is_empty() && sources.iter().all(|of| of.is_ok());
        let severity = if is_well { Severity::Good } else { Severity::Warning };
        let title = format!("The week to {}: {}", day(now), of_well(sources));
        let notice = Notice::new("weekly-summary", &[], now, severity, &title, &text(sources));
        Some(if is_well { notice } else { notice.advising("`keyvault-backup status` says what first.") })
    }
}

/// The newest Monday at [`HOUR`], at `now` or before.
fn monday(now: OffsetDateTime) -> OffsetDateTime {
    let shifted = now.to_offset(time::UtcOffset::UTC) - Duration::hours(HOUR);
    let days = i64::from(shifted.weekday().number_days_from_monday());
    (shifted - Duration::days(days)).replace_time(Time::MIDNIGHT) + Duration::hours(HOUR)
}

fn of_well(sources: &[&SourceState]) -> String {
    let well = sources.iter().filter(|of| of.is_ok()).count();
    match sources.len() {
        0 => "there is no source".to_owned(),
        all if all == well => format!("{} well", counted(all, "source")),
        all => format!("{well} of {} well", counted(all, "source")),
    }
}

fn text(sources: &[&SourceState]) -> String {
    let mut lines = Vec::new();
    if sources.iter().any(|of| of.objects.is_some()) {
        let Objects { protected, failing, damaged, accepted, .. } =
            sources.iter().filter_map(|of| of.objects).sum();
        lines.push(format!(
            "Objects: {protected} protected, {failing} failing, {damaged} damaged, {accepted} accepted."
        ));
    }
    if let Some((covered, of)) =
        sources.iter().filter_map(|of| Some((of.covered?, of))).min_by_key(|(at, _)| *at)
    {
        lines.push(format!("The oldest newest backup is of {}: {}.", of.source, minute(covered)));
    }
    let wrong: Vec<_> = sources.iter().filter(|of| !of.is_ok()).collect();
    for of in wrong.iter().take(NAMED) {
        let codes: Vec<_> = of.troubles.iter().map(Trouble::code).collect();
        lines.push(format!("{}: {}.", of.source, codes.join(", ")));
    }
    if wrong.len() > NAMED {
        lines.push(format!("And {} more that are not well.", wrong.len() - NAMED));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// 23 November 2026 is a Monday.
    #[test]
    fn a_week_begins_on_monday_at_eight() {
        let this = datetime!(2026-11-23 08:00 UTC);
        for (now, expected) in [
            (this, this),
            (datetime!(2026-11-23 07:59:59 UTC), this - Duration::WEEK),
            (datetime!(2026-11-29 23:59 UTC), this),
            (datetime!(2026-11-30 08:59 +1), this),
            (datetime!(2026-11-30 09:00 +1), this + Duration::WEEK),
        ] {
            assert_eq!(monday(now), expected, "{now}");
        }
    }
}

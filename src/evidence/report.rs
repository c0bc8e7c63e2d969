//! Reading the records of a period.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    app::App,
    domain::{
        day::Day,
        evidence::{DayRecord, Report, period},
        source::SourceName,
    },
    error::{Error, Result},
};

/// Records that are read concurrently.
const AT_ONCE: usize = 16;

/// The report of a period, of which both ends are part, about these sources, or about all if none is named. It is made
/// from the records of its days alone, so a past period gives the same report each time. One request for each day.
///
/// # Errors
/// Those of storage; a period that has not ended or is too long; a source that no record has.
pub async fn report(
    app: &App,
    (from, to): (Day, Day),
    wanted: Vec<SourceName>,
    today: Day,
) -> Result<Report> {
    period(from, to, today).map_err(|error| Error::Refused(error.to_string()))?;
    let days: Vec<_> = from.until(to).map(|day| one(app, day)).collect();
    let records: Vec<_> = stream::iter(days).buffered(AT_ONCE).try_collect().await?;
    let report = Report::new(wanted, records);
    let report = report.ok_or_else(|| Error::Refused("the period has no days".to_owned()))?;
    let is_known = |name: &&SourceName| report.sources.iter().any(|row| row.source.name == **name);
    let unknown = report.wanted.iter().find(|name| !is_known(name));
    match unknown.filter(|_| report.recorded() > 0) {
        Some(unknown) => Err(Error::Refused(format!("no record of this period has a source {unknown}"))),
        None => Ok(report),
    }
}

async fn one(app: &App, day: Day) -> Result<(Day, DayRecord)> {
    let record = match app.catalogue()?.evidence(day).await {
        Ok(Some((evidence, sha256))) => DayRecord::Found(Box::new(evidence), sha256),
        Ok(None) => DayRecord::Missing,
        Err(error) if error.is_unreadable() => DayRecord::Unreadable(error.to_string()),
        Err(error) => return Err(error),
    };
    Ok((day, record))
}

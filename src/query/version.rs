//! Which version the app is of, by its newest record of a day.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{day::Day, version::OtherVersion},
};

/// The app's version, if it is another one than this program's: that of the keeper, which records yesterday or, before it has, the day
/// before; all apps have one package. `None` also where there is no such record, or it cannot be read: others say that. At most
/// two requests.
pub async fn other(app: &App, now: OffsetDateTime) -> Option<OtherVersion> {
    let catalogue = app.catalogue().ok()?;
    let yesterday = Day::of(now).before();
    for day in [yesterday, yesterday.before()] {
        if let Some((evidence, _)) = catalogue.evidence(day).await.ok()? {
            return OtherVersion::of(&evidence.program, day, env!("PROGRAM_VERSION"));
        }
    }
    None
}

//! The status as numbers, in the text form of OpenMetrics.
//!
//! A number that is not known has no sample: zero would be an answer. Times are seconds since 1970, so an age is computed
//! when it is read. Each family stands in the text whether or not it has a sample, and its labels have few values: the
//! sources, and words of this program.

mod families;
mod text;

use self::{
    families::{OF_ALL, OF_EACH},
    text::Exposition,
};
use crate::query::status::Status;

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers of a status.
pub fn metrics(of: &Status) -> String {
    let mut text = Exposition::default();
    for family in OF_ALL {
        text.family(family.name, family.unit, family.help);
        (family.samples)(of, &mut |label, value| text.sample(family.name, label.as_slice(), value));
    }
    let sources = of.by_urgency();
    for family in OF_EACH {
        text.family(family.name, family.unit, family.help);
        for source in &sources {
            let own = [("source", source.source.as_str()), ("kind", source.kind.name())];
            (family.samples)(source, &mut |label, value| {
                let labels: Vec<_> = own.into_iter().chain(label).collect();
                text.sample(family.name, &labels, value);
            });
        }
    }
    text.finish()
}

//! What listing shows of an object and of its versions, reduced to what planning and restore need.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{digest::Fingerprint, object::ObjectId};

/// From this many versions on an object is reported: above 500 the service refuses to back it up, and a
/// version cannot be deleted (Key Vault documentation, "About keys, secrets and certificates: backup").
pub const VERSIONS_WARNING: u32 = 400;

/// The most versions that the service promises to back up.
pub const VERSIONS_LIMIT: u32 = 500;

/// What stands in the text of a failure that comes from being above the limit.
pub const OVER_THE_LIMIT: &str = "and Key Vault backs up at most";

/// How far the vault's clock may be from ours.
///
/// Key Vault's times have whole seconds, so a change in the second in which the versions were read does
/// not show in them. An object that young is backed up once more on the next pass.
const SETTLING: Duration = Duration::seconds(5);

/// How many fingerprints of versions that are as new as the newest are kept.
const MOST_TIES: usize = 16;

/// The identifier of a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionId(Box<str>);

/// Not the identifier of a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version: expected 1 to 64 letters and digits")]
pub struct VersionIdError;

impl VersionId {
    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionId {
    type Err = VersionIdError;

    fn from_str(text: &str) -> Result<Self, VersionIdError> {
        let legal = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if legal { Ok(Self(text.into())) } else { Err(VersionIdError) }
    }
}

impl TryFrom<String> for VersionId {
    type Error = VersionIdError;

    fn try_from(text: String) -> Result<Self, VersionIdError> {
        text.parse()
    }
}

impl From<VersionId> for String {
    fn from(version: VersionId) -> Self {
        version.0.into()
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a list page says about one object or one version. The two have the same fields (recorded
/// traffic), which is what lets the newest version stand for the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Whether the version can be used. Disabled ones are backed up like others.
    pub enabled: bool,
    /// When the version was made.
    pub created: Option<OffsetDateTime>,
    /// When its attributes or tags last changed.
    pub updated: Option<OffsetDateTime>,
    /// Not valid before.
    pub not_before: Option<OffsetDateTime>,
    /// Not valid after. Expired ones are backed up like others.
    pub expires: Option<OffsetDateTime>,
    /// A secret's content type.
    pub content_type: Option<String>,
    /// The owner's tags.
    pub tags: BTreeMap<String, String>,
    /// A certificate's SHA-1 thumbprint.
    pub thumbprint: Option<Vec<u8>>,
}

impl Attributes {
    /// Changes when anything that listing shows changes.
    pub fn fingerprint(&self) -> Fingerprint {
        self.hash(&[seconds(self.updated)])
    }

    /// Like the fingerprint, less the time of the last update, which a restore need not keep.
    fn lasting(&self) -> Fingerprint {
        self.hash(&[])
    }

    fn hash(&self, more: &[[u8; 8]]) -> Fingerprint {
        let times = [self.created, self.not_before, self.expires].map(seconds);
        let enabled = [u8::from(self.enabled)];
        let fields = [&enabled[..]]
            .into_iter()
            .chain(times.iter().chain(more).map(<[u8; 8]>::as_slice))
            .chain([self.content_type.as_deref().unwrap_or_default().as_bytes()])
            .chain([self.thumbprint.as_deref().unwrap_or_default()])
            .chain(self.tags.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]));
        Fingerprint::of_fields(fields)
    }
}

fn seconds(time: Option<OffsetDateTime>) -> [u8; 8] {
    time.map_or(i64::MIN, OffsetDateTime::unix_timestamp).to_be_bytes()
}

/// An object as a vault's list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which object.
    pub id: ObjectId,
    /// Managed by the vault, most often as a part of a certificate, and backed up with that.
    pub managed: bool,
    /// What the list shows of it.
    pub fingerprint: Fingerprint,
}

/// What was seen of an object's versions just before it was backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionsSeen {
    /// How many there are.
    pub count: u32,
    /// The newest one, which is the one that listing the vault shows.
    pub newest: VersionId,
    /// The newest one's attributes.
    pub attributes: Attributes,
    /// The fingerprints of others that were made in the same second, up to sixteen. Which of them the
    /// vault takes for the newest its times do not tell.
    pub ties: Vec<Fingerprint>,
    /// Digest over the sorted identifiers of all versions.
    pub ids: Fingerprint,
    /// Digest over the identifiers and lasting attributes of all versions.
    pub states: Fingerprint,
}

impl VersionsSeen {
    /// Sums up the versions of one object. `None` when there are none: the object is gone.
    pub fn of(mut versions: Vec<(VersionId, Attributes)>) -> Option<Self> {
        versions.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (newest, attributes) = versions.iter().max_by_key(|(_, of)| (of.created, of.updated))?.clone();
        let fingerprint = attributes.fingerprint();
        let as_new = versions.iter().filter(|(_, of)| of.created == attributes.created);
        let ties: BTreeSet<_> =
            as_new.map(|(_, of)| of.fingerprint()).filter(|of| *of != fingerprint).collect();
        let ids = Fingerprint::of_fields(versions.iter().map(|(id, _)| id.as_str().as_bytes()));
        let states: Vec<_> = versions.iter().map(|(id, of)| (id, of.lasting())).collect();
        let states =
            states.iter().flat_map(|(id, state)| [id.as_str().as_bytes(), state.as_bytes().as_slice()]);
        Some(Self {
            count: u32::try_from(versions.len()).unwrap_or(u32::MAX),
            newest,
            attributes,
            ties: ties.into_iter().take(MOST_TIES).collect(),
            ids,
            states: Fingerprint::of_fields(states),
        })
    }

    /// Whether a later change is sure to show in the list, seen from the time the versions were read.
    pub fn settled(&self, read: OffsetDateTime) -> bool {
        self.attributes.updated.or(self.attributes.created).is_some_and(|at| at + SETTLING < read)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn version(id: &str, created: i64) -> (VersionId, Attributes) {
        let at = OffsetDateTime::from_unix_timestamp(created).ok();
        (id.parse().unwrap(), Attributes { enabled: true, created: at, updated: at, ..Attributes::default() })
    }

    #[test]
    fn the_order_of_a_list_does_not_matter() {
        let seen = VersionsSeen::of(vec![version("b", 10), version("a", 20)]).unwrap();
        assert_eq!(Some(&seen), VersionsSeen::of(vec![version("a", 20), version("b", 10)]).as_ref());
        assert_eq!((seen.count, seen.newest.as_str()), (2, "a"));
    }

    #[test]
    fn versions_of_one_second_are_all_taken_for_the_newest() {
        let plain = |id| version(id, 20);
        let mut tagged = plain("c");
        tagged.1.tags.insert("a".into(), "b".into());
        let ties = |versions| VersionsSeen::of(versions).unwrap().ties;
        assert!(ties(vec![version("a", 10), plain("b"), plain("c")]).is_empty(), "they show the same");
        assert_eq!(ties(vec![plain("b"), tagged.clone()]), [plain("b").1.fingerprint()]);
        assert!(ties(vec![version("a", 10), tagged]).is_empty());
    }

    #[test]
    fn every_field_changes_the_fingerprint() {
        let base = version("a", 10).1;
        let changed = [
            Attributes { enabled: false, ..base.clone() },
            Attributes { expires: base.created, ..base.clone() },
            Attributes { not_before: base.created, ..base.clone() },
            Attributes { content_type: Some("text".into()), ..base.clone() },
            Attributes { tags: [("a".into(), "b".into())].into(), ..base.clone() },
            Attributes { thumbprint: Some(vec![1]), ..base.clone() },
            Attributes { updated: None, ..base.clone() },
        ];
        for other in changed {
            assert_ne!(other.fingerprint(), base.fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn a_change_in_the_second_of_reading_is_not_trusted() {
        let seen =
            VersionsSeen::of(vec![version("a", datetime!(2026-11-22 02:00 UTC).unix_timestamp())]).unwrap();
        assert!(!seen.settled(datetime!(2026-11-22 02:00:03 UTC)));
        assert!(seen.settled(datetime!(2026-11-22 02:00:06 UTC)));
    }
}

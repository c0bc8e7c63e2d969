//! What a list shows of an object and its versions, reduced to what planning and restore need.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{digest::Fingerprint, object::ObjectId};

/// From this number of versions on, an object is reported: above 500 the service refuses to back it up, and a version
/// cannot be deleted (Key Vault documentation, "About keys, secrets and certificates: backup").
pub const VERSIONS_WARNING: u32 = 400;

/// The most versions that the service promises to back up.
pub const VERSIONS_LIMIT: u32 = 500;

/// The code of a failure because of too many versions. The service has no code for it: its answers look like an outage,
/// and differ.
pub const TOO_MANY_VERSIONS: &str = "TooManyVersions";

/// How far the vault's clock may be from this program's.
///
/// Key Vault's times have whole seconds, so a change in the second in which the versions were read does not show in
/// them. An object that young is backed up once more by the next run.
const SETTLING: Duration = Duration::seconds(5);

/// How many fingerprints of versions that are as new as the newest are kept.
const MOST_TIES: usize = 16;

/// The identifier of a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionId(Box<str>);

/// The text is not the identifier of a version.
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

/// Attributes that a list page has for an object or a version. The two have the same fields (recorded traffic), so the
/// newest version can stand for the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Whether the version can be used. A disabled version is backed up like any other.
    pub enabled: bool,
    /// When the version was made.
    pub created: Option<OffsetDateTime>,
    /// When its attributes or tags last changed.
    pub updated: Option<OffsetDateTime>,
    /// When it becomes valid.
    pub not_before: Option<OffsetDateTime>,
    /// When it expires. An expired version is backed up like any other.
    pub expires: Option<OffsetDateTime>,
    /// A secret's content type.
    pub content_type: Option<String>,
    /// The owner's tags.
    pub tags: BTreeMap<String, String>,
    /// A certificate's SHA-1 thumbprint.
    pub thumbprint: Option<Vec<u8>>,
    /// Whether a key may be exported. Not part of the fingerprint: fingerprints of older programs do not have it, and
    /// it never changes.
    pub exportable: bool,
}

impl Attributes {
    /// The fingerprint, which changes when anything that a list shows changes.
    pub fn fingerprint(&self) -> Fingerprint {
        self.hash(&[seconds(self.updated)])
    }

    /// The fingerprint without the time of the last update, which a restore need not keep.
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
    /// The object.
    pub id: ObjectId,
    /// Whether the vault manages it, most often as a part of a certificate that is backed up with it.
    pub managed: bool,
    /// Its fingerprint in the list.
    pub fingerprint: Fingerprint,
}

/// What is known about an object's current version: the one that is used if none is named. It is the newest one, unless
/// a restore brought the versions back in another order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Current {
    /// The vault named it.
    Named(VersionId),
    /// The vault's list showed it with this fingerprint.
    Shown(Fingerprint),
    /// Nothing is known; the newest one is assumed.
    Unknown,
}

impl Current {
    /// What a list of that time showed of it, unless a version was made since.
    pub fn listed(
        shown: Option<Fingerprint>,
        at: OffsetDateTime,
        versions: &[(VersionId, Attributes)],
    ) -> Self {
        let since = |(_, of): &(_, Attributes)| of.created.is_none_or(|created| created + SETTLING >= at);
        match shown {
            Some(shown) if !versions.iter().any(since) => Self::Shown(shown),
            _ => Self::Unknown,
        }
    }

    /// Whether a version may be the current one.
    pub fn fits(&self, (id, of): &(VersionId, Attributes)) -> bool {
        match self {
            Self::Named(named) => id == named,
            Self::Shown(shown) => of.fingerprint() == *shown,
            Self::Unknown => false,
        }
    }

    /// The current one of these versions, as far as it is known; the newest of several that look alike.
    pub fn among<'v>(&self, versions: &'v [(VersionId, Attributes)]) -> Option<&'v (VersionId, Attributes)> {
        newest(versions.iter().filter(|version| self.fits(version)))
    }
}

fn newest<'v>(
    versions: impl Iterator<Item = &'v (VersionId, Attributes)>,
) -> Option<&'v (VersionId, Attributes)> {
    versions.max_by_key(|(_, of)| (of.created, of.updated))
}

/// What was seen of an object's versions just before it was backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionsSeen {
    /// How many there are.
    pub count: u32,
    /// The current version, which is the one in the vault's list: the newest, unless more is known.
    pub newest: VersionId,
    /// Its attributes.
    pub attributes: Attributes,
    /// If the current version is not known: the fingerprints of up to sixteen others that were made in the same second
    /// as the newest. Their times do not show which of them the vault treats as current.
    pub ties: Vec<Fingerprint>,
    /// Digest of the sorted identifiers of all versions.
    pub ids: Fingerprint,
    /// Digest of the identifiers and lasting attributes of all versions.
    pub states: Fingerprint,
    /// Digest of all versions by age, the current one last, with what lists show of each and no time can change. `None`
    /// if the current one is not known, or others look like it.
    pub order: Option<Fingerprint>,
}

impl VersionsSeen {
    /// Sums up the versions of one object; `None` if there are none: the object is gone.
    pub fn of(mut versions: Vec<(VersionId, Attributes)>, current: &Current) -> Option<Self> {
        versions.sort_by(|(a, _), (b, _)| a.cmp(b));
        let found = current.among(&versions);
        let ties = found.is_none();
        let (newest, attributes) = found.or_else(|| newest(versions.iter()))?.clone();
        let ties = if ties { as_new(&versions, &attributes) } else { Vec::new() };
        let known = versions.iter().filter(|version| current.fits(version)).count() == 1;
        let ids = Fingerprint::of_fields(versions.iter().map(|(id, _)| id.as_str().as_bytes()));
        let states: Vec<_> = versions.iter().map(|(id, of)| (id, of.lasting())).collect();
        let states =
            states.iter().flat_map(|(id, state)| [id.as_str().as_bytes(), state.as_bytes().as_slice()]);
        let states = Fingerprint::of_fields(states);
        let count = u32::try_from(versions.len()).unwrap_or(u32::MAX);
        let order = known.then(|| order(versions, &newest));
        Some(Self { count, newest, attributes, ties, ids, states, order })
    }

    /// Whether a later change is sure to show in the list, as of the time when the versions were read.
    pub fn settled(&self, read: OffsetDateTime) -> bool {
        self.attributes.updated.or(self.attributes.created).is_some_and(|at| at + SETTLING < read)
    }
}

/// Fingerprints of versions that are as new as the newest and differ from it.
fn as_new(versions: &[(VersionId, Attributes)], newest: &Attributes) -> Vec<Fingerprint> {
    let fingerprint = newest.fingerprint();
    let as_new = versions.iter().filter(|(_, of)| of.created == newest.created);
    let ties: BTreeSet<_> = as_new.map(|(_, of)| of.fingerprint()).filter(|of| *of != fingerprint).collect();
    ties.into_iter().take(MOST_TIES).collect()
}

fn order(mut versions: Vec<(VersionId, Attributes)>, current: &VersionId) -> Fingerprint {
    versions.sort_by_cached_key(|(id, of)| (id == current, of.created, id.clone()));
    let fields: Vec<_> =
        versions.iter().map(|(id, of)| (id, of.lasting(), [u8::from(of.exportable)])).collect();
    let fields = fields.iter().flat_map(|(id, state, exportable)| {
        [id.as_str().as_bytes(), state.as_bytes().as_slice(), exportable.as_slice()]
    });
    Fingerprint::of_fields(fields)
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
    fn the_identifier_of_a_version_cannot_leave_its_place_in_a_url() {
        let most = "v".repeat(64);
        for legal in ["0123456789abcdef0123456789abcdef", "v", &most] {
            assert_eq!(legal.parse::<VersionId>().unwrap().to_string(), legal);
        }
        for illegal in ["", "a/b", "a?b", "a.b", "a b", "ä", &format!("{most}v")] {
            assert_eq!(illegal.parse::<VersionId>(), Err(VersionIdError), "{illegal}");
        }
    }

    #[test]
    fn the_order_of_a_list_does_not_matter() {
        let seen = |versions| VersionsSeen::of(versions, &Current::Unknown);
        let (seen, other) = (
            seen(vec![version("b", 10), version("a", 20)]).unwrap(),
            seen(vec![version("a", 20), version("b", 10)]),
        );
        assert_eq!(Some(&seen), other.as_ref());
        assert_eq!((seen.count, seen.newest.as_str()), (2, "a"));
    }

    #[test]
    fn versions_of_one_second_are_all_taken_for_the_newest() {
        let plain = |id| version(id, 20);
        let mut tagged = plain("c");
        tagged.1.tags.insert("a".into(), "b".into());
        let ties = |versions| VersionsSeen::of(versions, &Current::Unknown).unwrap().ties;
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
        let versions = vec![version("a", datetime!(2026-11-22 02:00 UTC).unix_timestamp())];
        let seen = VersionsSeen::of(versions, &Current::Unknown).unwrap();
        assert!(!seen.settled(datetime!(2026-11-22 02:00:05 UTC)));
        assert!(seen.settled(datetime!(2026-11-22 02:00:06 UTC)));
    }

    #[test]
    fn the_current_version_is_the_one_that_was_shown_or_named() {
        let versions = || vec![version("old", 10), version("mid", 20), version("new", 30)];
        let shown = |at: i64| Current::Shown(version("x", at).1.fingerprint());
        for (current, newest, known) in [
            (Current::Unknown, "new", false),
            (shown(10), "old", true),
            (shown(30), "new", true),
            (shown(40), "new", false),
            (Current::Named("mid".parse().unwrap()), "mid", true),
            (Current::Named("other".parse().unwrap()), "new", false),
        ] {
            let seen = VersionsSeen::of(versions(), &current).unwrap();
            assert_eq!((seen.newest.as_str(), seen.order.is_some()), (newest, known), "{current:?}");
            assert_eq!(seen.attributes, version("x", seen.attributes.created.unwrap().unix_timestamp()).1);
        }
        // Of several that look alike it is the newest; others made at the same time are no ties then.
        let mut tagged = version("tagged", 30);
        tagged.1.tags.insert("a".into(), "b".into());
        let seen = VersionsSeen::of([versions(), vec![tagged]].concat(), &shown(30)).unwrap();
        assert_eq!((seen.newest.as_str(), seen.ties.len(), seen.order.is_some()), ("new", 0, true));
        let twins = VersionsSeen::of([versions(), vec![version("twin", 10)]].concat(), &shown(10)).unwrap();
        assert_eq!(
            (twins.attributes, twins.order),
            (version("x", 10).1, None),
            "which of the two is not known"
        );
    }

    #[test]
    fn a_list_says_nothing_of_versions_that_came_after_it() {
        let fingerprint = version("old", 10).1.fingerprint();
        let at = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        let listed =
            |shown, second| Current::listed(shown, at(second), &[version("old", 10), version("new", 100)]);
        assert_eq!(listed(Some(fingerprint), 106), Current::Shown(fingerprint));
        assert_eq!(listed(Some(fingerprint), 105), Current::Unknown, "clocks may differ");
        assert_eq!(listed(Some(fingerprint), 50), Current::Unknown);
        assert_eq!(listed(None, 106), Current::Unknown);
        let mut timeless = version("timeless", 10);
        timeless.1.created = None;
        assert_eq!(Current::listed(Some(fingerprint), at(106), &[timeless]), Current::Unknown);
    }

    #[test]
    fn the_order_changes_with_the_current_version_and_with_what_may_be_exported() {
        let versions = || vec![version("a", 10), version("b", 20)];
        let order = |versions, current: &str| {
            VersionsSeen::of(versions, &Current::Named(current.parse().unwrap())).unwrap().order.unwrap()
        };
        let mut exportable = versions();
        exportable[0].1.exportable = true;
        let first = order(versions(), "a");
        assert_eq!(first, order(versions().into_iter().rev().collect(), "a"));
        assert_ne!(first, order(versions(), "b"));
        assert_ne!(first, order(exportable, "a"));
        assert_ne!(first, order(vec![version("a", 30), version("b", 20)], "a"), "their times count, too");
    }
}

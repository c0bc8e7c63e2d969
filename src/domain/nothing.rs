//! A selection that matches nothing, and what exists instead.
//!
//! Such a selection is refused for every actor: an empty plan, carried out, would look like success. The refusal names
//! what exists, so that the next request can be right.

use std::{collections::BTreeSet, fmt};

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{
    filter::NameFilter,
    first::first_of,
    manifest::{Line, ObjectStatus},
    nearest::Nearest,
    object::{ObjectId, ObjectKind},
    restore::Selection,
};

/// The most objects that are named in a text.
const NAMED: usize = 3;

/// The earliest and the newest recovery point of a source: the range of times that can be requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// Before this time there is nothing to restore.
    pub earliest: OffsetDateTime,
    /// After this time there is nothing newer.
    pub newest: OffsetDateTime,
}

impl Points {
    /// The range of these times; `None` if there are none.
    pub fn of(times: impl Iterator<Item = OffsetDateTime>) -> Option<Self> {
        times.fold(None, |points: Option<Self>, at| {
            let Self { earliest, newest } = points.unwrap_or(Self { earliest: at, newest: at });
            Some(Self { earliest: earliest.min(at), newest: newest.max(at) })
        })
    }
}

/// What the catalogue knows about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing at all. Other sources that it knows, the nearest in name first.
    Not {
        /// Their names.
        nearest: Vec<String>,
    },
    /// Runs, but none of them left a backup.
    NoPoint,
    /// Recovery points.
    Points(Points),
}

/// What an index holds that a selection might have meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct There {
    /// Whether any object has a backup.
    any: bool,
    /// The names nearest to the requested ones.
    names: Vec<ObjectId>,
    /// If tags were requested: tags of the objects that match otherwise.
    tags: Vec<String>,
    /// If kinds were requested: the kinds that exist.
    kinds: BTreeSet<ObjectKind>,
    /// Objects that match but have no backup of their own to restore.
    passed: Vec<(ObjectId, ObjectStatus)>,
}

impl There {
    /// Searches an index for alternatives; `None` if the selection matches something.
    ///
    /// A selection matches an object that it takes, even if that cannot be restored as things are; one that it would
    /// take and that was never backed up; and one that it spells out and the index knows in any way.
    ///
    /// # Errors
    /// Those of the index.
    pub fn instead_of<E>(
        selection: &Selection,
        index: impl Iterator<Item = Result<Line, E>>,
    ) -> Result<Option<Self>, E> {
        let spelled_out = selection.objects.iter().map(|id| id.name.as_str());
        let mut names = Nearest::to(spelled_out.chain(selection.pattern.as_ref().map(NameFilter::as_str)));
        let mut tags = Nearest::to(selection.tags.iter().map(|(key, value)| format!("{key}={value}")));
        let mut there = Self::default();
        for line in index {
            let line = line?;
            if selection.objects.contains(&line.id()) || selection.matches(&line) {
                return Ok(None);
            }
            let has_backup = line.entry.is_some() && !line.status.is_managed();
            if !has_backup && selection.means(&line) && there.passed.len() < NAMED {
                there.passed.push((line.id(), line.status));
            }
            if !has_backup && !line.is_failing() {
                continue;
            }
            there.any |= line.entry.is_some();
            names.see(line.name.as_str(), || line.id());
            if !selection.kinds.is_empty() {
                there.kinds.insert(line.kind);
            }
            if selection.means(&line) {
                for (key, value) in line.entry.iter().flat_map(|entry| entry.tags.known()) {
                    let tag = format!("{key}={value}");
                    tags.see(&tag, || tag.clone());
                }
            }
        }
        Ok(Some(Self { names: names.found(), tags: tags.found(), ..there }))
    }
}

/// A selection that matches nothing, with what exists instead. Its text says both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nothing {
    /// The source, as in `vault kv-prod`.
    pub source: String,
    /// What was requested, as in `the name db-*`; empty for everything.
    pub wanted: String,
    /// As of which time it was requested.
    pub at: Option<OffsetDateTime>,
    /// What the catalogue knows about the source.
    pub known: Known,
    /// What the index holds instead.
    pub there: There,
}

impl Nothing {
    /// The stable name of this refusal.
    pub const CODE: &'static str = "NothingSelected";

    /// Whether nothing existed yet at the requested time, but does later.
    pub fn is_too_early(&self) -> bool {
        self.too_early().is_some()
    }

    /// The earliest recovery point, if it is later than the requested time and nothing existed yet at that time.
    fn too_early(&self) -> Option<OffsetDateTime> {
        let Known::Points(Points { earliest, .. }) = self.known else { return None };
        self.at.filter(|at| *at < earliest && !self.there.any).map(|_| earliest)
    }

    /// What to do next.
    pub fn next(&self) -> String {
        match (&self.known, self.too_early()) {
            (Known::Not { .. }, _) => "Check the name of the source.".to_owned(),
            (Known::NoPoint, _) => {
                "Check its newest run, which says what failed, or start a run and wait until it has ended."
                    .to_owned()
            }
            (_, Some(earliest)) => format!("Ask for {} or later.", moment(earliest)),
            _ => "Correct the request: the name, the kind, the tags or the time.".to_owned(),
        }
    }

    fn write_there(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let There { names, tags, kinds, passed, .. } = &self.there;
        let list = |f: &mut fmt::Formatter<'_>, words: &str, items: &[String]| {
            if items.is_empty() { Ok(()) } else { write!(f, " {words}: {}.", items.join(", ")) }
        };
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let kinds: Vec<_> = kinds.iter().map(ToString::to_string).collect();
        for (id, status) in passed {
            write!(f, " The selection would match {id}, but {}.", without_backup(*status))?;
        }
        list(f, "Nearest in name", &names)?;
        list(f, "Tags of objects that match otherwise", tags)?;
        list(f, "Existing kinds", &kinds)
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, wanted, at, known, .. } = self;
        let then = at.map(|at| format!(" as of {}", moment(at))).unwrap_or_default();
        match known {
            Known::Not { nearest } => {
                write!(f, "The catalogue knows nothing of {source}.")?;
                match nearest.as_slice() {
                    [] => write!(f, " It knows no other of its kind."),
                    nearest => {
                        write!(f, " Of those that it knows, nearest in name: {}.", nearest.join(", "))
                    }
                }
            }
            Known::NoPoint => write!(f, "No run of {source} has left a backup."),
            Known::Points(Points { earliest, newest }) => {
                match (self.too_early(), wanted.as_str()) {
                    (Some(_), _) => write!(f, "There was no backup of {source}{then}.")?,
                    (None, "") => write!(f, "There is nothing of {source} to restore{then}.")?,
                    (None, wanted) => write!(f, "Nothing of {source}{then} matches {wanted}.")?,
                }
                let (earliest, newest) = (moment(*earliest), moment(*newest));
                if earliest == newest {
                    write!(f, " Its only recovery point is of {earliest}.")?;
                } else {
                    write!(f, " Its recovery points are of {earliest} to {newest}.")?;
                }
                self.write_there(f)
            }
        }
    }
}

/// Why an object that exists in some way cannot be restored.
const fn without_backup(status: ObjectStatus) -> &'static str {
    match status {
        ObjectStatus::Managed | ObjectStatus::Former => {
            "it belongs to a certificate: restore the certificate"
        }
        ObjectStatus::VaultManaged => "the vault manages it, and Key Vault does not back it up",
        ObjectStatus::Failed => "it never had a backup, so its tags are unknown",
        ObjectStatus::BackedUp
        | ObjectStatus::Unchanged
        | ObjectStatus::Disappeared
        | ObjectStatus::Gone
        | ObjectStatus::Carried => "it no longer exists and never had a backup",
    }
}

/// What a selection requests, in words; empty for everything.
pub fn words(selection: &Selection) -> String {
    let Selection { objects, kinds, pattern, tags, gone: _ } = selection;
    let some = |word: &str, items: Vec<String>| {
        (!items.is_empty()).then(|| format!("{word}{}", first_of(items, NAMED)))
    };
    let parts = [
        some("", objects.iter().map(ToString::to_string).collect()),
        some("the kind ", kinds.iter().map(ToString::to_string).collect()),
        pattern.as_ref().map(|pattern| format!("the name {pattern}")),
        some("the tag ", tags.iter().map(|(key, value)| format!("{key}={value}")).collect()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" with ")
}

fn moment(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, convert::Infallible};

    use time::{Duration, macros::datetime};

    use super::*;
    use crate::domain::{
        samples::{NIGHT, entry, line, of_kind, secret},
        tags::Tags,
    };

    fn index() -> Vec<Line> {
        let mut tagged = line(&secret("db-password"), ObjectStatus::BackedUp, NIGHT);
        tagged.entry.iter_mut().for_each(|entry| entry.tags = tags("team", "core").into());
        let tls = of_kind(ObjectKind::Key, "tls");
        vec![
            line(&of_kind(ObjectKind::Certificate, "tls"), ObjectStatus::BackedUp, NIGHT),
            Line {
                former: Some(Box::new(entry(&tls, NIGHT))),
                ..Line::new(tls, ObjectStatus::Managed, None)
            },
            Line::new(of_kind(ObjectKind::Key, "vanished"), ObjectStatus::Disappeared, None),
            line(&secret("gone"), ObjectStatus::Gone, NIGHT),
            Line::new(secret("refused"), ObjectStatus::Failed, None),
            tagged,
        ]
    }

    fn there(selection: &Selection) -> Option<There> {
        There::instead_of(selection, index().into_iter().map(Ok::<_, Infallible>)).unwrap()
    }

    fn named(ids: &[ObjectId]) -> Selection {
        Selection { objects: ids.to_vec(), ..Selection::default() }
    }

    fn like(pattern: &str) -> Selection {
        Selection { pattern: Some(pattern.parse().unwrap()), ..Selection::default() }
    }

    fn tags(key: &str, value: &str) -> BTreeMap<String, String> {
        [(key.into(), value.into())].into()
    }

    fn tagged(key: &str, value: &str) -> Selection {
        Selection { tags: tags(key, value), ..Selection::default() }
    }

    fn of_kinds(kinds: &[ObjectKind], pattern: Option<&str>) -> Selection {
        Selection {
            kinds: kinds.into(),
            pattern: pattern.map(|pattern| pattern.parse().unwrap()),
            ..Selection::default()
        }
    }

    #[test]
    fn what_is_taken_gone_never_backed_up_or_spelled_out_and_known_is_something() {
        for selection in [
            Selection::default(),
            like("DB-*"),
            like("gone"),
            like("ref*"),
            tagged("team", "core"),
            of_kinds(&[ObjectKind::Certificate], None),
            named(&[secret("refused")]),
            named(&[of_kind(ObjectKind::Key, "tls")]),
            named(&[of_kind(ObjectKind::Key, "vanished"), secret("typo")]),
        ] {
            assert_eq!(there(&selection), None, "{selection:?}");
        }
        assert_eq!(
            there(&named(&[secret("typo"), of_kind(ObjectKind::Key, "gone")])).map(|of| of.any),
            Some(true)
        );
    }

    #[test]
    fn what_may_have_the_tags_is_something() {
        let mut part = line(&secret("db-password"), ObjectStatus::BackedUp, NIGHT);
        part.entry.iter_mut().for_each(|entry| entry.tags = Tags::part(tags("team", "core")));
        for (selection, expected) in [(tagged("cost", "1"), true), (tagged("team", "web"), false)] {
            let lines = [Ok::<_, Infallible>(part.clone())].into_iter();
            let there = There::instead_of(&selection, lines).unwrap();
            assert_eq!(there.is_none(), expected, "{selection:?}");
        }
    }

    fn said(selection: &Selection) -> String {
        let there = there(selection).expect("it matches nothing");
        let points = Points { earliest: NIGHT, newest: NIGHT + Duration::DAY };
        let (source, wanted) = ("vault kv-prod".to_owned(), words(selection));
        Nothing { source, wanted, at: None, known: Known::Points(points), there }.to_string()
    }

    #[test]
    fn what_there_is_instead_is_named() {
        const HEAD: &str = "Nothing of vault kv-prod matches ";
        const POINTS: &str = ". Its recovery points are of 2026-11-22T02:00:00Z to 2026-11-23T02:00:00Z.";
        for (selection, wanted, instead) in [
            (named(&[secret("db-pasword")]), "secret db-pasword", " Nearest in name: secret db-password"),
            (like("db-pasw*"), "the name db-pasw*", " Nearest in name: secret db-password"),
            (tagged("team", "cor"), "the tag team=cor", " Tags of objects that match otherwise: team=core."),
            (
                tagged("team", "cor"),
                "the tag team=cor",
                " The selection would match secret refused, but it never had a backup, so its tags are unknown.",
            ),
            (
                of_kinds(&[ObjectKind::Key], Some("db-*")),
                "the kind key with the name db-*",
                " Existing kinds: certificate, secret.",
            ),
            (
                of_kinds(&[ObjectKind::Key], Some("tls")),
                "the kind key with the name tls",
                " The selection would match key tls, but it belongs to a certificate: restore the certificate.",
            ),
            (
                like("vanished"),
                "the name vanished",
                " The selection would match key vanished, but it no longer exists and never had a backup.",
            ),
        ] {
            let said = said(&selection);
            assert!(said.starts_with(&format!("{HEAD}{wanted}{POINTS}")) && said.contains(instead), "{said}");
        }
        let many: Vec<_> = ["a", "b", "c", "d", "e"].map(secret).into();
        assert_eq!(words(&named(&many)), "secret a, secret b, secret c and 2 more");
    }

    #[test]
    fn of_what_fits_and_cannot_be_restored_three_are_named() {
        let managed = |name| Line::new(of_kind(ObjectKind::Key, name), ObjectStatus::Managed, None);
        let index = ["k1", "k2", "k3", "k4"].map(|name| Ok::<_, Infallible>(managed(name)));
        let there = There::instead_of(&like("k*"), index.into_iter()).unwrap().unwrap();
        let passed: Vec<_> = there.passed.iter().map(|(id, _)| id.name.as_str()).collect();
        assert_eq!(passed, ["k1", "k2", "k3"]);
    }

    fn of_source(known: Known, at: Option<OffsetDateTime>, any: bool) -> Nothing {
        let there = There { any, ..There::default() };
        Nothing { source: "vault kv-prod".into(), wanted: String::new(), at, known, there }
    }

    #[test]
    fn a_source_without_backups_is_told_from_one_that_is_not_known_and_from_a_time_that_is_too_early() {
        let points = Known::Points(Points { earliest: NIGHT, newest: NIGHT });
        let nearest = vec!["kv-prd".to_owned(), "kv-test".to_owned()];
        let before = Some(NIGHT - Duration::SECOND);
        for (nothing, text, next) in [
            (
                of_source(Known::Not { nearest }, None, false),
                "The catalogue knows nothing of vault kv-prod. Of those that it knows, nearest in name: kv-prd, kv-test.",
                "Check the name of the source.",
            ),
            (
                of_source(Known::Not { nearest: Vec::new() }, before, false),
                "The catalogue knows nothing of vault kv-prod. It knows no other of its kind.",
                "Check the name of the source.",
            ),
            (
                of_source(Known::NoPoint, None, false),
                "No run of vault kv-prod has left a backup.",
                "Check its newest run, which says what failed, or start a run and wait until it has ended.",
            ),
            (
                of_source(points.clone(), before, false),
                "There was no backup of vault kv-prod as of 2026-11-22T01:59:59Z. Its only recovery point is of 2026-11-22T02:00:00Z.",
                "Ask for 2026-11-22T02:00:00Z or later.",
            ),
            (
                of_source(points.clone(), before, true),
                "There is nothing of vault kv-prod to restore as of 2026-11-22T01:59:59Z. Its only recovery point is of 2026-11-22T02:00:00Z.",
                "Correct the request: the name, the kind, the tags or the time.",
            ),
            (
                of_source(points, Some(NIGHT), false),
                "There is nothing of vault kv-prod to restore as of 2026-11-22T02:00:00Z. Its only recovery point is of 2026-11-22T02:00:00Z.",
                "Correct the request: the name, the kind, the tags or the time.",
            ),
        ] {
            assert_eq!((nothing.to_string().as_str(), nothing.next().as_str()), (text, next));
            assert_eq!(nothing.is_too_early(), next.starts_with("Ask for"));
        }
    }

    #[test]
    fn points_are_the_first_and_the_last_of_their_times() {
        let of = |times: &[i64]| Points::of(times.iter().map(|hours| NIGHT + Duration::hours(*hours)));
        let between = |from: i64, to: i64| Points {
            earliest: NIGHT + Duration::hours(from),
            newest: NIGHT + Duration::hours(to),
        };
        assert_eq!((of(&[]), of(&[3]), of(&[3, 1, 2])), (None, Some(between(3, 3)), Some(between(1, 3))));
        assert_eq!(moment(datetime!(2026-11-22 03:00 +01:00)), "2026-11-22T02:00:00Z");
    }
}

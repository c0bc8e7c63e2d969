//! What an entry keeps of a backup, and what it tells of the next one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use time::Duration;

use super::*;
use crate::domain::{
    form::{BlobFacts, Clear},
    location::Fact,
    samples::{NIGHT, entry, fingerprint, secret},
    versions::{Attributes, Current},
};

/// An entry of a backup just after the versions were read, of an object with one version and these tags.
fn taken(tags: BTreeMap<String, String>, change: impl FnOnce(&mut Taken<'_>)) -> Entry {
    let at = Some(NIGHT - Duration::DAY);
    let attributes = Attributes { created: at, updated: at, tags, ..Attributes::default() };
    let versions = vec![("v1".parse().unwrap(), attributes)];
    let (vault, id, run) = ("kv-prod".parse().unwrap(), secret("db"), RunId::nightly(NIGHT));
    let blob = BackupBlob::from(b"blob".to_vec());
    let mut taken = Taken {
        vault: &vault,
        id: &id,
        run: &run,
        blob: &blob,
        form: known("k"),
        region: None,
        location: Location::default(),
        seen: VersionsSeen::of(versions, &Current::Unknown).unwrap(),
        read: NIGHT,
        taken: NIGHT,
        previous: None,
    };
    change(&mut taken);
    taken.into()
}

fn known(kid: &str) -> Form {
    Form::Known(BlobFacts { kid: kid.into(), alg: "RSA-OAEP-256".into(), enc: "A256CBC-HS512".into() })
}

fn tags(count: usize, value: &str) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("tag{number}"), value.to_owned())).collect()
}

/// Letters in no order, with this many different ones.
fn letters(seed: u32, count: usize, of: u32) -> String {
    let random = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let letter = |random: u32| char::from_u32(0x4e00 + (random >> 8) % of).unwrap();
    std::iter::successors(Some(seed), random).skip(1).take(count).map(letter).collect()
}

#[test]
fn tags_are_stored_as_they_are_then_packed_then_without_the_longest() {
    let mixed = |count: usize, of: u32| -> BTreeMap<_, _> {
        (0..15_u32).map(|at| (format!("{at:02}"), letters(at, count + at as usize, of))).collect()
    };
    // The tags, whether they are packed, and whether they are all there.
    for (tags, packed, complete) in [
        (tags(1, "prod"), false, true),
        (tags(15, &"a".repeat(256)), false, true),
        (tags(15, &"鍵".repeat(80)), false, true),
        (tags(15, &"鍵".repeat(90)), true, true), // each letter takes six bytes of a record
        (tags(15, &"鍵".repeat(256)), true, true),
        (mixed(250, 80), true, true),
        (mixed(250, 20_000), true, false),
    ] {
        let entry = taken(tags.clone(), |_| {});
        let (text, known) = (entry.record().unwrap(), entry.tags.known());
        let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = ["packed_tags", "tags", "tags_incomplete"].map(|field| !stored[field].is_null());
        assert_eq!((said, *known == tags), ([packed, !packed, !complete], complete), "{tags:?}");
        assert!(
            text.len() <= RECORD_LIMIT && known.len() * 2 > tags.len(),
            "more than half of them fit: {tags:?}"
        );
        assert!(known.iter().eq(tags.iter().take(known.len())), "the longest are the last ones here");
    }
}

#[test]
fn entries_of_older_programs_read_and_write_as_they_did() {
    let old = serde_json::to_string(&entry(&secret("db"), NIGHT)).unwrap();
    assert!(!old.contains("tags"), "{old}");
    let plain = Entry { tags: tags(1, "core").into(), ..entry(&secret("db"), NIGHT) };
    let tag = r#","enabled":true,"tags":{"tag0":"core"}}"#;
    assert_eq!(plain.record().unwrap(), old.replace(r#","enabled":true}"#, tag));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_a_record_says_reads_back_and_a_manifest_says_it_plainly(
        tags in prop::collection::btree_map(".{0,90}", ".{0,90}", 0..16),
    ) {
        let entry = taken(tags.clone(), |_| {});
        let record = entry.record().unwrap();
        prop_assert!(record.len() <= RECORD_LIMIT);
        prop_assert_eq!(&serde_json::from_str::<Entry>(&record).unwrap(), &entry);
        let line = serde_json::to_string(&entry).unwrap();
        prop_assert!(!line.contains("packed_tags"));
        prop_assert_eq!(&serde_json::from_str::<Entry>(&line).unwrap(), &entry);
        for (key, value) in tags {
            prop_assert!(entry.tags.include(&[(key, value)].into()) != Some(false));
        }
    }
}

#[test]
fn an_entry_without_tags_fits_a_record_whatever_its_place_is_called() {
    let unknown = Form::Unknown(Clear { tag: Some("x".repeat(64)), header: vec!["x".repeat(32); 8] });
    // As long as the header of a blob may be.
    for form in [known(&"é".repeat(1000)), unknown] {
        assert_fits_without_tags(form);
    }
}

fn assert_fits_without_tags(form: Form) {
    let fact = Fact::new(&"é".repeat(99));
    let long = |taken: &mut Taken<'_>| {
        taken.location =
            Location { tenant: fact.clone(), subscription: fact.clone(), geography: fact.clone() };
        taken.region = Some("é".repeat(99));
        taken.form = form;
    };
    let entry = taken(tags(0, ""), long);
    assert!(record(&entry).unwrap().len() <= RECORD_LIMIT, "{entry:?}");
}

#[test]
fn an_entry_is_settled_when_a_later_change_is_sure_to_show() {
    assert!(!taken(tags(0, ""), |_| {}).unsettled);
    assert!(taken(tags(0, ""), |taken| taken.read = NIGHT - Duration::DAY).unsettled);
}

#[test]
fn the_region_of_a_backup_has_its_bounds() {
    let entry = taken(tags(0, ""), |taken| {
        taken.region = Some("r".repeat(REGION_LIMIT + 1));
    });
    assert_eq!(entry.region, Some("r".repeat(REGION_LIMIT)));
}

#[test]
fn an_object_looks_as_at_its_backup_or_as_one_of_the_versions_of_that_second() {
    let entry = Entry { ties: vec![fingerprint("tied")], ..entry(&secret("db"), NIGHT) };
    let shown = ["before", "tied", "after"].map(|look| entry.has_fingerprint(fingerprint(look)));
    assert_eq!(shown, [true, true, false]);
}

#[test]
fn a_backup_continues_another_that_looks_like_it_or_shares_its_current_version_or_has_fewer() {
    let before = Entry { versions: 2, ..entry(&secret("db"), NIGHT) };
    let other = |look: &str, newest: &str, versions: u32| {
        let newest = newest.parse().unwrap();
        Entry {
            fingerprint: fingerprint(look),
            newest,
            versions,
            ..entry(&secret("db"), NIGHT + Duration::DAY)
        }
    };
    let same = before.newest.as_str();
    for (after, continues) in [
        (other("before", "other", 1), true),
        (other("after", same, 1), true),
        (other("after", "other", 3), true),
        (other("after", "other", 2), false),
        (other("after", "other", 1), false),
    ] {
        assert_eq!(after.continues(&before), continues, "{after:?}");
    }
}

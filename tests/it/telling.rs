//! One model, four readers: in whatever state the sources are, the API, the numbers, the page and the terminal say the same.

use std::collections::BTreeMap;

use keyvault_backup::{
    api::shapes::status::Status as StatusShape,
    cli::{output::Format, status::table},
    domain::{
        hsm::HsmBackup,
        manifest::Summary,
        nothing::Points,
        retention::LastPass,
        source::{SourceKind, SourceName},
        state::{Known, Newest, Objects, SourceState},
        verification::Verified,
    },
    error::Error,
    query::{hsms::HsmState, passes::Passes, status::Status, vaults::VaultState},
    tell::{self, Seen},
};
use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{metrics::Numbers, page::scene::NOW};

const INTERVAL: Duration = Duration::hours(26);

/// What is random about a source.
#[derive(Clone, Debug)]
struct Described {
    kind: SourceKind,
    /// How many hours ago the newest backup began that covers it.
    covered: Option<i64>,
    readable: bool,
    counts: [usize; 7],
    verified: Option<i64>,
    /// Whether the record of the last verification can be read.
    known: bool,
    /// Whether the last backup failed, for an HSM.
    failed: bool,
}

fn described() -> impl Strategy<Value = Described> {
    let kind = prop_oneof![3 => Just(SourceKind::Vault), 1 => Just(SourceKind::Hsm)];
    let count = prop_oneof![2 => Just(0_usize), 1 => 1_usize..3000];
    let hours = || proptest::option::weighted(0.8, 0_i64..60);
    let readable = proptest::bool::weighted(0.9);
    let known = proptest::bool::weighted(0.8);
    (kind, hours(), readable, proptest::array::uniform7(count), hours(), known, any::<bool>()).prop_map(
        |(kind, covered, readable, counts, verified, known, failed)| Described {
            kind,
            covered,
            readable,
            counts,
            verified,
            known,
            failed,
        },
    )
}

fn rfc(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("a time")
}

impl Described {
    fn objects(&self) -> Objects {
        let [protected, not_verified, damaged, failing, accepted, gone, without] = self.counts;
        Objects {
            protected,
            not_verified: not_verified.min(protected),
            damaged,
            failing,
            without_backup: without.min(failing),
            accepted,
            gone,
            ..Objects::default()
        }
    }

    fn began(&self) -> Option<OffsetDateTime> {
        self.covered.map(|hours| NOW - Duration::hours(hours))
    }

    fn verified(&self) -> Verified {
        if !self.known {
            return Verified { unreadable: Some("it is damaged".to_owned()), ..Verified::default() };
        }
        Verified { at: self.verified.map(|hours| NOW - Duration::hours(hours)), ..Verified::default() }
    }

    fn points(&self) -> Option<Points> {
        self.began().map(|newest| Points { earliest: newest - Duration::days(90), newest })
    }

    fn vault(&self, name: &SourceName) -> VaultState {
        let run = self.began().map(|began| -> Summary {
            serde_json::from_value(json!({
                "v": 2, "run": "20261122T020000Z-nightly", "scope": "vault", "verdict": "Succeeded",
                "numbers": { "listed": 0, "backed_up": 0, "unchanged": 0, "managed": 0, "disappeared": 0, "failed": 0,
                             "bytes": 0, "near_version_limit": 0 },
                "planned": rfc(began), "finished": rfc(began), "full_pass": rfc(began), "protected": 0, "lines": 0,
            }))
            .expect("a summary")
        });
        let newest = Newest { last: run.clone(), covering: run, ..Newest::default() };
        let (objects, verified, points) = (self.objects(), self.verified(), self.points());
        let known = Known { newest, objects, verified, points, ..Known::default() };
        let damage = || Error::Damaged { blob: "a".to_owned(), text: "torn <here>".to_owned() };
        let known = if self.readable { Ok(known) } else { Err(damage()) };
        let seen = known.as_ref().map_err(ToString::to_string);
        VaultState { state: SourceState::of_vault(name, seen, 0, INTERVAL, NOW), open: Vec::new(), known }
    }

    fn hsm(&self, name: &SourceName) -> HsmState {
        let backup = |began: OffsetDateTime, verdict: &str| -> HsmBackup {
            serde_json::from_value(json!({
                "v": 1, "hsm": name, "run": "20261122T013000Z-nightly", "by": { "via": "timer" }, "opened": rfc(began),
                "ended": rfc(began), "verdict": verdict, "folder": { "path": "f", "blobs": 1, "bytes": 1 },
            }))
            .expect("a backup")
        };
        let good = self.began().map(|began| backup(began, "Succeeded"));
        let last = if self.failed { Some(backup(NOW, "Failed")) } else { good.clone() };
        let state = SourceState::of_hsm(
            name,
            (good.as_ref(), last.as_ref()),
            0,
            self.points(),
            &self.verified(),
            (INTERVAL, NOW),
        );
        HsmState { state, good, last, copies: Vec::new(), attestation: None, open: Vec::new() }
    }
}

/// The status of these sources; `still` says whether jobs stand still.
fn status(of: &[Described], still: bool) -> Status {
    let name = |number: usize| format!("source-{number:02}").parse::<SourceName>().expect("a name");
    let of_kind = |kind| of.iter().enumerate().filter(move |(_, of)| of.kind == kind);
    Status {
        now: NOW,
        interval: INTERVAL,
        passes: Passes { last: Some(NOW), stands_still: still },
        retention: LastPass::Never,
        second: None,
        vaults: of_kind(SourceKind::Vault).map(|(number, of)| of.vault(&name(number))).collect(),
        hsms: of_kind(SourceKind::Hsm).map(|(number, of)| of.hsm(&name(number))).collect(),
        at_bound: Vec::new(),
        restores: Vec::new(),
        poison_messages: None,
        notices: None,
        next_runs: Vec::new(),
    }
}

/// The rows of the terminal, as the script of a reader has them.
fn rows(of: &Status) -> Vec<Value> {
    let text = table(of).text(Format::Tsv, None);
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap_or_default();
    lines
        .map(|row| head.iter().zip(row).map(|(name, of)| ((*name).to_owned(), json!(of))).collect())
        .collect()
}

fn agree(of: &[Described], still: bool) {
    let one = status(of, still);
    let (is_ok, rows) = (one.is_ok(), rows(&one));
    let numbers = Numbers::of(&tell::metrics::metrics(&one));
    let api = serde_json::to_value(StatusShape::from(status(of, still))).expect("JSON");
    let page = tell::page::page(&Seen { status: one, kept: BTreeMap::default() });
    assert_eq!((&api["ok"], numbers.get("keyvault_backup_ok")), (&json!(is_ok), Some(is_ok.into())));
    assert!(page.contains(if is_ok { "<header class=\"well\">" } else { "<header class=\"bad\">" }));
    assert_eq!(page.contains("Everything is well"), is_ok);
    let articles: Vec<_> = page.split("<article").skip(1).collect();
    assert_eq!((articles.len(), rows.len()), (of.len(), of.len()));
    let sources = ["sources", "hsms"].map(|list| api[list].as_array().expect("a list").clone()).concat();
    for (article, row) in articles.iter().zip(&rows) {
        let source =
            sources.iter().find(|source| source["source"] == row["source"]).expect("the same source");
        let kind = if source.get("hsm").is_some() { "hsm" } else { "vault" };
        let number = |name: &str| {
            let source = source["source"].as_str().expect("a name");
            numbers.get(&format!("keyvault_backup_{name}{{source=\"{source}\",kind=\"{kind}\"}}"))
        };
        let code = source["troubles"][0]["type"].as_str().unwrap_or("ok");
        assert_eq!(row["state"], code, "{row}");
        assert!(article.contains(&format!("<span class=\"state\">{code}</span>")), "{code}: {article}");
        assert_eq!(
            (source["ok"] == json!(true), number("source_ok")),
            (code == "ok", Some((code == "ok").into()))
        );
        assert_eq!(
            source["troubles"].as_array().map_or(0, Vec::len),
            article.matches("<li><p><strong>").count()
        );
        for (name, json, shown) in [
            ("protected_objects", "protected", ""),
            ("damaged_objects", "damaged", "damaged"),
            ("failing_objects", "failing", "failing"),
            ("accepted_objects", "accepted", "accepted"),
            ("gone_objects", "gone", "gone"),
        ] {
            let told = source["objects"][json].as_i64();
            assert_eq!(number(name), told, "{name}");
            let cell = row[json].as_str().unwrap_or_default();
            assert_eq!(
                cell.parse::<i64>().ok().unwrap_or_default(),
                told.unwrap_or_default(),
                "{name}: {row}"
            );
            let some = told.filter(|told| *told > 0 && !shown.is_empty());
            assert!(
                some.is_none_or(|told| article.contains(&format!("{told} {shown}"))),
                "{name}: {article}"
            );
        }
        if let Some(word) = source["verified"].as_str().filter(|word| ["never", "unknown"].contains(word)) {
            assert_eq!(row["verified"], word, "{row}");
            assert!(article.contains(&format!("<dt>Verified</dt><dd><b>{word}</b>")), "{word}: {article}");
        }
        let time = |of: &Value| of.as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
        for (name, at) in [
            ("last_success_timestamp_seconds", &source["newestSuccess"]["asOf"]),
            ("earliest_restorable_timestamp_seconds", &source["earliestRestorable"]),
            ("last_verification_timestamp_seconds", &source["verified"]),
        ] {
            let at = time(at);
            assert_eq!(number(name), at.map(OffsetDateTime::unix_timestamp), "{name}");
            let day = at.map(|at| at.date().to_string());
            assert!(day.is_none_or(|day| article.contains(&day)), "{name}: {article}");
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 128, ..Config::default() })]
    #[test]
    fn every_reader_says_the_same(of in proptest::collection::vec(described(), 0..12), still in any::<bool>()) {
        agree(&of, still);
    }
}

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use time::{Duration, macros::datetime};

use super::*;
use crate::domain::{
    hsm::Missing,
    night::Timer,
    run::{RunId, Verdict},
    samples::NIGHT,
    schedule::Timetable,
    source::SourceKind,
    state::{SourceState, Trouble},
};

const SLACK: &str = "https://hooks.slack.com/services/T/B/x";

fn subject(name: &str, codes: &[&str]) -> Subject {
    let wrong = codes.iter().map(|code| Wrong {
        code: (*code).to_owned(),
        occasion: None,
        severity: Severity::Error,
        text: "it fails".to_owned(),
        advice: String::new(),
    });
    Subject { name: name.to_owned(), wrong: wrong.collect() }
}

/// What is told at these minutes of a vault with these troubles.
fn told(states: &[(i64, &[&str])]) -> Vec<(i64, String)> {
    let mut told = Told::default();
    let at = |(minute, codes): &(i64, &[&str])| {
        let notices = told.subjects(&[subject("vault kv-a", codes)], NIGHT + Duration::minutes(*minute));
        notices.into_iter().map(|notice| (*minute, notice.code)).collect::<Vec<_>>()
    };
    states.iter().flat_map(at).collect()
}

#[test]
fn a_change_of_state_is_told_once_and_what_flaps_is_one_change() {
    let (a, b, both) = (&["a"][..], &["b"][..], &["a", "b"][..]);
    for (states, expected) in [
        (&[(0, &[][..])][..], &[][..]),
        (&[(0, a), (5, a), (500, a)], &[(0, "a")]),
        (&[(0, a), (5, both)], &[(0, "a"), (5, "b")]),
        (&[(0, a), (5, &[]), (34, &[]), (35, &[]), (40, &[])], &[(0, "a"), (35, "recovered")]),
        (&[(0, a), (5, &[]), (30, a), (35, &[]), (64, &[]), (65, &[])], &[(0, "a"), (65, "recovered")]),
        (&[(0, a), (5, &[]), (35, a)], &[(0, "a")]),
        (&[(0, a), (5, &[]), (35, &[]), (40, a)], &[(0, "a"), (35, "recovered"), (40, "a")]),
        (&[(0, both), (5, b), (35, b), (40, both)], &[(0, "a"), (0, "b"), (40, "a")]),
        (&[(0, both), (5, b), (20, &[]), (40, &[]), (50, &[])], &[(0, "a"), (0, "b"), (50, "recovered")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(at, code)| (*at, (*code).to_owned())).collect();
        assert_eq!(told(states), expected, "{states:?}");
    }
}

proptest! {
    /// Whatever happens: what is wrong was told since it was last told to be well, it is told again only after it was not
    /// seen for as long as it takes to settle, and `recovered` follows only on something that was told.
    #[test]
    fn told_and_recovered_take_turns(states in proptest::collection::vec((1_i64..40, any::<[bool; 2]>()), 1..60)) {
        let (mut told, mut open, mut now) = (Told::default(), BTreeSet::new(), NIGHT);
        let mut missing: BTreeMap<&str, OffsetDateTime> = BTreeMap::new();
        for (minutes, has) in states {
            now += Duration::minutes(minutes);
            let codes: Vec<_> = ["a", "b"].into_iter().zip(has).filter(|(_, has)| *has).map(|(code, _)| code).collect();
            for notice in told.subjects(&[subject("vault kv-a", &codes)], now) {
                if notice.code == "recovered" {
                    prop_assert!(!open.is_empty() && codes.is_empty());
                    open.clear();
                } else if !open.insert(notice.code.clone()) {
                    let since = missing.get(notice.code.as_str());
                    prop_assert!(since.is_some_and(|since| now - *since >= SETTLE), "{}", notice.code);
                }
            }
            prop_assert!(codes.iter().all(|code| open.contains(*code)));
            for code in ["a", "b"] {
                if codes.contains(&code) { missing.remove(code); } else { missing.entry(code).or_insert(now); }
            }
        }
    }
}

#[test]
fn a_source_that_is_no_longer_there_is_not_said_to_be_well() {
    let mut told = Told::default();
    assert_eq!(told.subjects(&[subject("vault kv-a", &["a"])], NIGHT).len(), 1);
    assert!(told.subjects(&[subject("vault kv-b", &[])], NIGHT + Duration::DAY).is_empty());
    assert!(told.subjects(&[subject("vault kv-a", &[])], NIGHT + Duration::DAY * 2).is_empty());
}

#[test]
fn a_pause_of_passes_is_told_by_the_pass_that_ends_it() {
    for (last, minutes, is_told) in [(None, 60, false), (Some(NIGHT), 14, false), (Some(NIGHT), 15, true)] {
        let told = Told { at: last, ..Told::default() };
        let pause = told.after_a_pause(Duration::minutes(15), NIGHT + Duration::minutes(minutes));
        assert_eq!(pause.is_some(), is_told, "{last:?} {minutes}");
    }
}

fn restore(id: &str, ended: Option<Verdict>) -> Restored {
    let pair = ("kv-a".to_owned(), "kv-b".to_owned());
    Restored { id: id.to_owned(), began: NIGHT, pair, by: "Ada".to_owned(), ended }
}

#[test]
fn a_restore_is_told_when_it_starts_and_when_it_ends() {
    let done = Some(Verdict::Succeeded);
    let mut new = Told::default();
    let codes = |told: &mut Told, seen: &[Restored]| -> Vec<String> {
        told.restores(seen, NIGHT).into_iter().map(|notice| notice.code).collect()
    };
    // Before the first time it is not known what was told by other means.
    assert_eq!(codes(&mut new, &[restore("old", done), restore("r", None)]), ["restore-started"]);
    new.at = Some(NIGHT);
    assert!(codes(&mut new, &[restore("old", done), restore("r", None)]).is_empty());
    assert_eq!(codes(&mut new, &[restore("old", done), restore("r", done)]), ["restore-ended"]);
    assert_eq!(codes(&mut new, &[restore("r", done), restore("quick", done)]), ["restore-ended"]);
    assert!(codes(&mut new, &[restore("r", done), restore("quick", done)]).is_empty());
}

#[test]
fn a_plan_that_waits_for_an_approval_is_told_once() {
    let asked = |plan: &[u8], approved| Asked {
        plan: crate::domain::digest::Digest::of(plan),
        at: NIGHT,
        pair: ("kv-a".to_owned(), "kv-b".to_owned()),
        by: "Ada".to_owned(),
        approved,
    };
    let mut told = Told { at: Some(NIGHT), ..Told::default() };
    assert_eq!(told.plans(&[asked(b"a", false), asked(b"b", true)], NIGHT).len(), 1);
    assert!(told.plans(&[asked(b"a", false), asked(b"b", true)], NIGHT).is_empty());
}

fn source(kind: SourceKind, covered: Option<OffsetDateTime>) -> SourceState {
    let known = crate::domain::state::Known::default();
    let state = SourceState::of_vault(&"kv-a".parse().unwrap(), Ok(&known), 0, Duration::DAY, NIGHT);
    SourceState { kind, covered, troubles: Vec::new(), ..state }
}

/// The vaults' timer fires at 2, the HSMs' one at 3 or at 1.
#[test]
fn a_night_is_clean_when_every_source_is_well_and_covered_since_and_nothing_runs() {
    let table = |text: &str| Timetable::new(Some(text), false, &[]);
    let (two, three, one) = (table("0 0 2 * * *"), table("0 0 3 * * *"), table("0 0 1 * * *"));
    let yesterday = NIGHT - Duration::DAY;
    let vault = |covered| source(SourceKind::Vault, covered);
    let hsm = |covered| source(SourceKind::Hsm, covered);
    let running = SourceState { running: 1, ..vault(Some(NIGHT)) };
    let troubles = vec![Trouble::NeverBackedUp];
    let failing = SourceState { troubles, ..vault(Some(NIGHT)) };
    let (hour, minute) = (Duration::HOUR, Duration::MINUTE);
    for (sources, hsms, is_clean) in [
        (vec![vault(Some(NIGHT))], &three, true),
        (vec![vault(Some(NIGHT - minute))], &three, true),
        (vec![vault(Some(NIGHT - minute * 2))], &three, false),
        (vec![vault(None)], &three, false),
        (vec![running], &three, false),
        (vec![failing], &three, false),
        (vec![vault(Some(NIGHT)), vault(Some(yesterday))], &three, false),
        (vec![vault(Some(NIGHT)), hsm(Some(yesterday + hour))], &three, false),
        (vec![vault(Some(NIGHT)), hsm(Some(NIGHT + hour))], &three, true),
        (vec![vault(Some(NIGHT)), hsm(Some(NIGHT - hour))], &one, true),
        (vec![vault(Some(NIGHT)), hsm(Some(NIGHT))], &Timetable::Paused, false),
        (vec![hsm(Some(NIGHT + hour))], &three, true),
        (vec![], &three, false),
    ] {
        let sources: Vec<_> = sources.iter().collect();
        let timers = [(Timer::Vaults, &two), (Timer::Hsms, hsms)];
        let night = Night::newest(&sources, &timers, NIGHT + hour * 2);
        let clean = night.is_some_and(|night| night.is_clean(&sources));
        assert_eq!(clean, is_clean, "{sources:?}");
    }
}

#[test]
fn a_clean_night_counts_once() {
    let table = Timetable::new(Some("0 0 2 * * *"), false, &[]);
    let vault = source(SourceKind::Vault, Some(NIGHT));
    let night = |now| Night::newest(&[&vault], &[(Timer::Vaults, &table)], now).unwrap();
    let mut told = Told::default();
    let clean = [1, 2, 25, 26].map(|hours| told.clean(night(NIGHT + Duration::hours(hours))));
    assert_eq!(clean, [true, false, true, false]);
}

#[test]
fn the_summary_comes_once_a_week() {
    let vault = source(SourceKind::Vault, Some(NIGHT));
    let mut told = Told::default();
    let monday = datetime!(2026-11-23 08:00 UTC);
    let hours: Vec<i64> = (-48..=200)
        .filter(|hour| told.weekly(&[&vault], monday + Duration::hours(*hour)).is_some())
        .collect();
    assert_eq!(hours, [0, 168]);
}

fn notice(text: &str) -> Notice {
    Notice::new("overdue", &["vault kv-a"], NIGHT, Severity::Error, "vault kv-a: overdue", text)
        .of("vault kv-a")
        .advising("Run preflight.")
}

fn targets() -> [Target; 2] {
    [SLACK, "https://a.example/x"].map(|text| Target::parse(text).unwrap())
}

#[test]
fn many_new_notices_are_one_message_for_each_target() {
    for (notices, posts) in [(1, 2), (5, 10), (6, 2), (100, 2)] {
        let mut outbox = Outbox::default();
        outbox.add(&vec![notice("x"); notices], &targets(), NIGHT);
        assert_eq!(outbox.claim(NIGHT).len(), posts, "{notices}");
    }
}

#[test]
fn a_post_is_claimed_once_and_again_when_the_claim_has_ended() {
    let mut outbox = Outbox::default();
    outbox.add(&[notice("x")], &targets()[..1], NIGHT);
    let claimed = [0, 1, 4, 5, 6].map(|minute| outbox.claim(NIGHT + Duration::minutes(minute)).len());
    assert_eq!(claimed, [1, 0, 0, 1, 0]);
    let post = outbox.waiting();
    assert_eq!((post[0].posts, post[0].since, post[0].host.as_str()), (1, NIGHT, "hooks.slack.com"));
}

#[test]
fn a_failed_delivery_is_tried_at_growing_intervals_for_three_days_and_then_given_up() {
    let failed = Outcome::Failed("it answered 500".into(), None);
    let asked = Outcome::Failed("it answered 429".into(), Some(Duration::minutes(30)));
    let refused = Outcome::Refused("it answered 404".into());
    for (outcomes, waits) in [
        (vec![&failed; 8], vec![1, 2, 4, 8, 16, 32, 60, 60]),
        (vec![&asked, &failed], vec![30, 2]),
        (vec![&refused, &failed, &Outcome::NotTried, &failed], vec![60, 2, 1, 4]),
    ] {
        let (mut outbox, mut now) = (Outbox::default(), NIGHT);
        outbox.add(&[notice("x")], &targets()[..1], NIGHT);
        for (outcome, wait) in outcomes.into_iter().zip(waits) {
            let post = outbox.claim(now).remove(0);
            let next = now + Duration::minutes(wait);
            assert_eq!(outbox.settle(post.id, outcome, now), Some(Ending::Again(next)), "{outcome:?}");
            assert!(outbox.claim(next - Duration::SECOND).is_empty());
            now = next;
        }
        let (post, late) = (outbox.claim(now).remove(0), NIGHT + Duration::days(3));
        assert_eq!(outbox.settle(post.id, &failed, late), Some(Ending::GivenUp));
        assert_eq!((outbox.is_empty(), outbox.given_up), (true, 1));
        assert_eq!(outbox.settle(post.id, &failed, late), None);
    }
}

#[test]
fn a_later_night_ends_the_call_for_an_earlier_one() {
    let (mut outbox, target) = (Outbox::default(), &targets()[1]);
    outbox.beat(target, NIGHT, NIGHT);
    outbox.beat(target, NIGHT + Duration::DAY, NIGHT + Duration::DAY);
    let posts = outbox.claim(NIGHT + Duration::DAY);
    assert!(posts.len() == 1 && posts[0].is_beat());
    assert_eq!(outbox.settle(posts[0].id, &Outcome::Sent, NIGHT), Some(Ending::Sent));
    assert_eq!((outbox.is_empty(), outbox.given_up), (true, 0));
}

#[test]
fn the_forms_are_what_receivers_expect() {
    let all = notice("the newest <backup> is *old* & [late](x)");
    let id = all.id.to_string();
    let of = |form| body(form, std::slice::from_ref(&all), Some("func-a"));
    let footer = format!("func-a · 2026-11-22 02:00Z · id {id}");
    let run =
        |text: &str| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text }] });
    let content = &of(Form::Teams)["attachments"][0]["content"];
    assert_eq!(content["body"][1], run("the newest <backup> is *old* & [late](x)"));
    assert_eq!(content["body"][0]["inlines"][0]["text"], "vault kv-a: overdue");
    assert_eq!(content["body"][3]["inlines"][0]["text"], footer);
    assert_eq!((&content["type"], &content["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    let slack = of(Form::Slack);
    assert_eq!(slack["text"], "🔴 vault kv-a: overdue");
    assert_eq!(slack["blocks"][1]["text"]["text"], "the newest &lt;backup&gt; is *old* &amp; [late](x)");
    assert_eq!(slack["blocks"][1]["text"]["type"], "plain_text");
    let expected = json!({
        "version": 1, "program": "keyvault-backup", "installation": "func-a",
        "notices": [{
            "id": id, "at": "2026-11-22T02:00:00Z", "code": "overdue", "severity": "error", "source": "vault kv-a",
            "title": "vault kv-a: overdue", "text": "the newest <backup> is *old* & [late](x)",
            "advice": "Run preflight.",
        }],
    });
    assert_eq!(of(Form::Json), expected);
}

/// The limits of the receivers: Slack takes 50 blocks of 3,000 characters, Teams 28 KB.
#[test]
fn no_text_of_a_service_breaks_a_message() {
    let hostile = "<!channel> \u{202e}\u{0}{{DATE(2026)}} \"\\ & ".repeat(200);
    let notices = vec![Notice::new("x", &[], NIGHT, Severity::Info, &hostile, &hostile); 100];
    for notices in [&notices[..1], &notices] {
        let [teams, slack] = [Form::Teams, Form::Slack].map(|form| body(form, notices, None).to_string());
        assert!(
            teams.len() < 28 * 1024 && !teams.contains("TextBlock\",\"text") && !teams.contains('\u{202e}')
        );
        assert!(!slack.contains("<!") && !slack.contains("\\u0000"));
        let slack: Value = serde_json::from_str(&slack).unwrap();
        let blocks = slack["blocks"].as_array().unwrap();
        let length = |block: &Value| block["text"]["text"].as_str().unwrap_or_default().chars().count();
        assert!(blocks.len() <= 50 && blocks.iter().all(|block| length(block) <= 3000));
    }
}

#[test]
fn the_record_reads_back_and_what_is_not_in_it_has_a_default() {
    let mut told = Told { v: 1, writer: "w".into(), at: Some(NIGHT), ..Told::default() };
    let notices = told.subjects(&[subject("vault kv-a", &["a"])], NIGHT);
    told.outbox.add(&notices, &targets(), NIGHT);
    told.restores(&[restore("r", None)], NIGHT);
    let json = serde_json::to_string(&told).unwrap();
    assert_eq!(serde_json::from_str::<Told>(&json).unwrap(), told);
    assert!(!json.contains("services"), "{json}");
    assert_eq!(serde_json::from_str::<Told>(r#"{"v":1,"writer":"w","later":1}"#).unwrap().at, None);
}

#[test]
fn a_trouble_is_as_grave_in_a_notice_as_in_preflight() {
    let state = |troubles| SourceState { troubles, ..source(SourceKind::Vault, Some(NIGHT)) };
    for (trouble, expected) in [
        (Trouble::Failing { objects: 1, without_backup: 0 }, Severity::Error),
        (Trouble::LastFailed(RunId::nightly(NIGHT)), Severity::Warning),
        (Trouble::CopyMissing(Missing { since: NIGHT, why: None }), Severity::Warning),
    ] {
        assert_eq!(Subject::from(&state(vec![trouble])).wrong[0].severity, expected);
    }
}

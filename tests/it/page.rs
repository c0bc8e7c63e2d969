//! The status as a page: what a reader needs, nothing from elsewhere, and no text that is more than text.

pub mod scene;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use keyvault_backup::tell::page::page;
use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation};
use sha2::{Digest as _, Sha256};

use self::scene::{HOSTILE, PLAIN};
use crate::world::World;

/// Elements that have no end.
const EMPTY: [&str; 2] = ["meta", "!doctype"];
/// Every element that the page may have.
const ELEMENTS: &str = "!doctype a article b body circle code dd details div dl dt footer h1 h2 h3 head header html li main meta \
                        ol p path rect section span strong style summary svg time title ul";

/// Checks that a text is one document of these elements, each ended in order, and has no attribute that could act.
fn sound(html: &str) {
    let allowed: Vec<_> = ELEMENTS.split_whitespace().collect();
    let mut open: Vec<&str> = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("an end of <{part}"));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a name");
        assert!(allowed.contains(&name), "<{tag}>");
        for attribute in
            tag.split('"').step_by(2).flat_map(str::split_whitespace).filter(|word| word.contains('='))
        {
            let acts = ["on", "style", "src", "action"].iter().any(|name| attribute.starts_with(name));
            assert!(!acts && (!attribute.starts_with("href") || tag.contains("href=\"#")), "<{tag}>");
        }
        match tag.strip_prefix('/') {
            Some(ended) => assert_eq!(open.pop(), Some(ended), "</{ended}>"),
            None if tag.ends_with('/') || EMPTY.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?} have no end");
    let (_, style) = html.split_once("<style>").expect("a style");
    let (style, _) = style.split_once("</style>").expect("its end");
    let digest = BASE64_STANDARD.encode(Sha256::digest(style));
    assert!(html.contains(&format!("style-src &#39;sha256-{digest}&#39;")), "the policy has another style");
    assert!(!style.contains("url(") && !style.contains("@import"), "something from elsewhere");
}

/// Leaves a page for `.ci/page`, which opens it in a browser.
fn leave(name: &str, html: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.html")), html).expect("a page");
}

#[test]
fn no_text_from_outside_is_more_than_text() {
    let html = page(&scene::mixed(95, HOSTILE));
    sound(&html);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("\\u{202e}"));
    leave("hundred", &html);
    leave("mixed", &page(&scene::mixed(4, PLAIN)));
}

#[test]
fn it_answers_first_whether_everything_is_well() {
    for (name, seen, headline, first) in [
        (
            "well",
            scene::all_well(),
            "Everything is well",
            "6 sources, each covered by a backup of the last 26 hours.",
        ),
        ("nothing", scene::nothing(), "Nothing is backed up", "The settings name no source"),
        (
            "",
            scene::mixed(2, PLAIN),
            "4 of 7 sources are not well",
            "First: <a href=\"#s0\">kv-new-team</a>: no backup covers it yet.",
        ),
    ] {
        let html = page(&seen);
        sound(&html);
        let (_, body) = html.split_once("<body>").expect("a body");
        let (head, _) = body.split_once("</header>").expect("a head");
        assert!(head.contains(headline) && head.contains(first), "{head}");
        if !name.is_empty() {
            leave(name, &html);
        }
    }
}

#[test]
fn jobs_that_stand_still_come_before_everything() {
    let mut seen = scene::mixed(1, PLAIN);
    seen.status.passes.stands_still = true;
    let html = page(&seen);
    assert!(html.contains("<p>First: the timer AdvanceJobs has not come since"), "{html}");
}

#[test]
fn a_source_says_all_that_a_person_on_call_needs() {
    let html = page(&scene::mixed(1, PLAIN));
    let of = |name: &str| {
        let (_, article) = html.split_once(&format!("\">{name}</h3>")).expect(name);
        article.split("</article>").next().expect("its end").to_owned()
    };
    for (name, said) in [
        ("kv-shop-prod", "<b class=\"bad\">2 days</b><span>of 26 hours</span>"),
        ("kv-shop-prod", "aria-label=\"Last nights: 1 failed, 27 succeeded, 2 without a run\""),
        ("kv-shop-prod", "<code>keyvault-backup backup --vault kv-shop-prod</code>"),
        ("kv-new-team", "<b class=\"bad\">never</b>"),
        ("kv-payments", "<b>secret session-salt</b> <span class=\"bad\">never backed up</span>"),
        ("kv-payments", "TooManyVersions: The secret has 612 versions"),
        ("kv-payments", "move its users to a new name"),
        ("kv-payments", "Until 2027-02-01: its users move in spring"),
        ("kv-payments", "20261122T095000Z-manual-1a2b since"),
        ("kv-team-000", "Retention keeps 43 points; the oldest, of 2025-11-30: the newest of its month"),
        ("kv-team-000", "Next run <time datetime=\"2026-11-23T02:00:00Z\">"),
        ("hsm-signing", "<b>as a whole</b>"),
        ("hsm-signing", "Next run <time datetime=\"2026-11-23T01:30:00Z\">"),
    ] {
        assert!(of(name).contains(said), "{name} does not say {said}: {}", of(name));
    }
    let places = ["kv-new-team", "kv-shop-prod", "kv-ledger", "kv-payments", "hsm-signing", "kv-team-000"];
    let places = places.map(|name| html.find(&format!("\">{name}</h3>")));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
}

#[test]
fn what_is_not_known_of_all_sources_is_said_once() {
    let mut seen = scene::mixed(3, PLAIN);
    seen.kept.values_mut().for_each(|kept| *kept = Err("it is not <set>".to_owned()));
    assert_eq!(page(&seen).matches("is not known: it is not &lt;set&gt;.").count(), 1);
    *seen.kept.values_mut().next().expect("a source") = Err("other".to_owned());
    assert_eq!(page(&seen).matches("is not known: it is not &lt;set&gt;.").count(), 7);
}

#[tokio::test]
async fn the_api_serves_it_under_a_policy_that_forbids_what_it_does_not_have() {
    let mut world = World::with_secrets(2).await;
    world.set("KEYVAULT_BACKUP_RETENTION", "within=30 months=0");
    let today = world.today();
    world.fault(Matcher::from(Operation::Backup).object("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(today - time::Duration::hours(10)).await;
    let answer = world.get("/api/status/page").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = answer.header("content-security-policy").expect("a policy").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.ends_with("sandbox"),
        "{policy}"
    );
    sound(&answer.text());
    let kept = "Retention keeps 1 point; the oldest,";
    for said in ["The only source is not well", "secret secret-1", "ForbiddenByRbac", kept] {
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_terminal_writes_the_page_beside_its_own_answer_and_opens_it() {
    let mut world = World::with_secrets(1).await;
    let today = world.today();
    world.night(today).await;
    let folder = tempfile::tempdir().expect("a folder");
    let [file, opened, browser] = ["status.html", "opened", "xdg-open"].map(|name| folder.path().join(name));
    fs::write(&browser, format!("#!/bin/sh\necho \"$1\" >'{}'\n", opened.display())).expect("a script");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("a script");
    world.set("PATH", &format!("{}:/usr/bin:/bin", folder.path().display()));
    let file = file.to_str().expect("text");
    let output = world.cli(&["status", "--html", file, "--open"]).await;
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("kv-a"),
        "{output:?}"
    );
    sound(&fs::read_to_string(file).expect("a page"));
    let is_open = || fs::read_to_string(&opened).is_ok_and(|text| text.trim() == file);
    let waits = async {
        while !is_open() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("it is opened");
}

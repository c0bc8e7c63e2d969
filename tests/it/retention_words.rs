//! What a person reads of retention and of holds at a terminal, and what is refused.

use serde_json::Value;

use crate::{
    retention::Kept,
    world::{BACKUPS, World},
};

const POLICY: &str = "within=30 months=0";

/// What a command prints for people, on both streams, and its exit code.
async fn said(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let output = world.cli(args).await;
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("it is text"))
}

/// The numbers of the holds that are listed, each with whether it is released.
async fn numbers(world: &World, args: &[&str]) -> Vec<(u64, bool)> {
    let listed = world.json(args).await;
    let of = |hold: &Value| (hold["number"].as_u64().expect("it has one"), hold["released"] == true);
    listed["holds"].as_array().expect("a list").iter().map(of).collect()
}

#[tokio::test]
async fn what_cannot_be_decided_is_refused_with_what_to_do_and_leaves_no_record() {
    let mut kept = Kept::with(1, POLICY).await;
    kept.nights(1).await;
    let (why, ticket) = (["--reason", "r"], ["--ticket", "INC-1"]);
    let vault = ["--vault", "kv-a"];
    for (args, expected) in [
        ([&["hold", "set"], &ticket[..], &why].concat(), "with --vault or --hsm"),
        ([&["hold", "set", "--vault", "kv-z"], &ticket[..], &why].concat(), "catalogue has no vault kv-z"),
        ([&["hold", "set", "--hsm", "kv-a"], &ticket[..], &why].concat(), "atalogue has no "),
        (
            [&["hold", "set", "--secret", "a", "--key", "a"], &vault[..], &ticket, &why].concat(),
            "Name one object",
        ),
        ([&["hold", "release"], &vault[..], &ticket, &why].concat(), "`hold list` shows what there is"),
        ([&["hold", "lift"], &vault[..], &ticket].concat(), "`hold list --all` shows what there was"),
        ([&["retention", "release"], &vault[..], &why].concat(), "its policy applies already"),
        ([&["retention", "release", "--vault", "kv-z"], &why[..]].concat(), "catalogue has no vault kv-z"),
        ([&["retention", "apply", "--really"], &vault[..]].concat(), "--reason"),
        ([&["retention", "apply"], &why[..]].concat(), "with --vault or --hsm"),
    ] {
        let (code, text) = said(&kept.world, &args).await;
        assert_eq!(code, Some(2), "{args:?}: {text}");
        assert!(text.contains(expected), "{args:?}: {text}");
    }
    let blobs = kept.world.backups.blobs(BACKUPS);
    let of_people = |name: &&String| name.starts_with("holds/") || name.starts_with("retention/people/");
    assert_eq!(blobs.iter().filter(of_people).count(), 0, "{blobs:?}");
}

#[tokio::test]
async fn holds_of_one_ticket_are_counted_and_released_one_by_one() {
    let mut kept = Kept::with(1, POLICY).await;
    kept.nights(1).await;
    let world = &kept.world;
    let of = ["--vault", "kv-a", "--ticket", "INC-1", "--reason", "an inquiry"];
    let (set, release) = ([&["hold", "set"], &of[..]].concat(), [&["hold", "release"], &of[..]].concat());
    let (list, all) = (["hold", "list"], ["hold", "list", "--all"]);
    assert_eq!(said(world, &list).await.1.trim(), "There is no hold.");
    for _ in 0..3 {
        world.json(&set).await;
    }
    assert_eq!(numbers(world, &list).await, [(1, false), (2, false), (3, false)]);
    let second = [&release[..], &["--number", "2"]].concat();
    assert_eq!(numbers(world, &second).await, [(2, true)]);
    let (code, text) = said(world, &second).await;
    assert!(code == Some(2) && text.contains("not released"), "it is released already: {text}");
    assert_eq!(numbers(world, &list).await, [(1, false), (3, false)]);
    world.json(&set).await;
    assert_eq!(numbers(world, &all).await, [(1, false), (2, true), (3, false), (4, false)]);

    let (_, text) = said(world, &release).await;
    assert!(text.contains("3 holds of INC-1 on kv-a"), "{text}");
    assert!(text.contains("keyvault-backup hold lift --vault kv-a --ticket INC-1"), "{text}");
    assert_eq!(numbers(world, &list).await, []);
    assert!(numbers(world, &all).await.iter().all(|(_, released)| *released));
}

#[tokio::test]
async fn a_plan_is_only_shown_until_a_person_really_applies_it() {
    let mut kept = Kept::with(1, POLICY).await;
    kept.nights(3).await;
    // Without a source that stands still, all but the newest point would go by now.
    kept.world.set("KEYVAULT_BACKUP_VAULTS", "https://kv-other.vault.azure.net");
    let (of, why) = (["--vault", "kv-a"], ["--reason", "closed in March"]);
    kept.world.json(&[&["retention", "release"], &of[..], &why].concat()).await;
    let apply = [&["retention", "apply"], &of[..], &why].concat();
    let before = kept.world.backups.blobs(BACKUPS);
    let (code, text) = said(&kept.world, &apply).await;
    assert_eq!((code, kept.world.backups.blobs(BACKUPS)), (Some(0), before), "{text}");
    assert!(text.contains("3 points kept, 0 may go"), "{text}");
    assert!(text.contains("2 points would go, more than half"), "{text}");
    assert!(text.contains("  keyvault-backup retention apply --vault kv-a --really --reason TEXT"), "{text}");

    let really = [&apply[..], &["--really"]].concat();
    kept.world.today();
    let (code, text) = said(&kept.world, &really).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("kv-a: 2 points let go, 0 deleted (0 blobs, 0 B)"), "{text}");
    let (_, text) = said(&kept.world, &["retention", "plan", "--vault", "kv-a"]).await;
    assert!(text.contains("1 point kept, 0 may go"), "{text}");
    assert!(text.contains("2 points let go before and not deleted yet."), "{text}");
}

#[tokio::test]
async fn a_plan_without_a_fitting_policy_says_which_setting_to_change() {
    let mut kept = Kept::with(1, POLICY).await;
    kept.nights(1).await;
    for (name, value, expected) in [
        ("KEYVAULT_BACKUP_RETENTION", "within=2", "within=2 is out of range"),
        (
            "KEYVAULT_BACKUP_RETENTION",
            "within=30; kv-a: within=3",
            "set within= in KEYVAULT_BACKUP_RETENTION",
        ),
        ("KEYVAULT_BACKUP_RETENTION", "", "set it as the keeper has it"),
    ] {
        kept.world.set(name, value);
        let (code, text) = said(&kept.world, &["retention", "plan"]).await;
        assert!(code != Some(0) && text.contains(expected), "{value}: {code:?} {text}");
    }
}

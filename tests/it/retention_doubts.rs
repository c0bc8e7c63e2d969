//! Retention in doubt: what changes between a point's drop and its deletion, and records that do not say what they should.

use keyvault_backup_emulator::{Keeping, host::Firing};
use time::Duration;

use crate::{
    checks::events,
    retention::{Kept, STEP, keeper_of},
    world::BACKUPS,
};

/// The first run. After four nights its point is let go.
const FIRST: &str = "20260110T020000Z-nightly";

const POLICY: &str = "within=30 months=0";

/// The mark of the first point's drop.
const DROP: &str = "retention/vaults/kv-a/points/20260110T020000Z-nightly/0001";

/// A backup that a run took of the secret that changes before each night.
fn changed(run: &str) -> String {
    format!("vaults/kv-a/runs/{run}/objects/secret/secret-0/backup")
}

impl Kept {
    /// A world whose first point is let go, and nothing of it is deleted yet.
    async fn let_go() -> Self {
        let mut kept = Self::with(2, POLICY).await;
        kept.nights(4).await;
        assert_eq!(kept.offered().await.len(), 3);
        kept
    }

    /// The runs whose points are offered, newest first.
    async fn offered(&self) -> Vec<String> {
        let runs = self.world.json(&["list", "runs", "--vault", &self.world.vault.url()]).await;
        let runs = runs["runs"].as_array().expect("a list").iter();
        runs.map(|run| run["run"].as_str().expect("a name").to_owned()).collect()
    }

    /// A pass when the pause of everything that was let go is over.
    async fn after_the_pause(&self) {
        self.world.at(self.now() + Duration::days(3));
        self.pass().await;
    }

    /// Puts a storage's own legal hold on a blob, or takes it away.
    fn legal_hold(&self, blob: &str, on: bool) {
        assert!(self.world.backups.damage_blob(BACKUPS, blob, |blob| blob.legal_hold = on), "{blob}");
    }

    /// What the newest mark of the first point says.
    fn newest_mark(&self) -> String {
        let point = DROP.trim_end_matches("0001");
        let marks = self.world.backups.blobs(BACKUPS).into_iter().filter(|name| name.starts_with(point));
        let newest = self.world.backups.blob(BACKUPS, &marks.max().expect("a mark")).expect("it is stored");
        newest.meta("mark").expect("it says what happened").to_owned()
    }

    fn kept_events(&self) -> usize {
        let lines: Vec<_> = self.keeper.logs().into_iter().filter(|line| line.function_console).collect();
        events(&lines, "retention.kept")
    }
}

/// Something that happens to the newest backup of the secret that changes.
type Change = fn(&Kept, &str);

#[tokio::test]
async fn a_newer_backup_that_is_not_whole_and_alone_in_storage_brings_the_older_one_back() {
    let changes: [(&str, Change); 3] = [
        ("deleted", |kept, blob| assert!(kept.world.backups.delete_blob(BACKUPS, blob))),
        ("truncated", |kept, blob| {
            assert!(kept.world.backups.damage_blob(BACKUPS, blob, |blob| {
                blob.bytes = blob.bytes.slice(1..);
            }));
        }),
        ("written again", |kept, blob| {
            let stored = kept.world.backups.blob(BACKUPS, blob).expect("it is stored");
            kept.world.backups.put_blob(BACKUPS, blob, stored.bytes, &[]);
        }),
    ];
    for (what, change) in changes {
        let kept = Kept::let_go().await;
        let newest = kept.offered().await[0].clone();
        change(&kept, &changed(&newest));
        let before = kept.stored();
        kept.after_the_pause().await;
        assert_eq!(kept.stored(), before, "{what}");
        assert!(kept.offered().await.contains(&FIRST.to_owned()), "{what}: it is offered again");
    }
}

#[tokio::test]
async fn a_legal_hold_that_appears_in_the_pause_keeps_the_point_until_it_is_lifted() {
    let kept = Kept::let_go().await;
    let (before, backup) = (kept.stored(), changed(FIRST));
    kept.legal_hold(&backup, true);
    kept.after_the_pause().await;
    assert_eq!((kept.newest_mark().as_str(), kept.offered().await.len()), ("reinstated", 4));
    assert!(kept.kept_events() > 0, "the keeper says so");
    kept.pass().await;
    assert_eq!(kept.newest_mark(), "reinstated", "it is not let go while storage keeps a blob of it");
    kept.legal_hold(&backup, false);
    kept.pass().await;
    assert_eq!(kept.stored(), before, "its pause begins anew");
    kept.after_the_pause().await;
    assert_eq!((kept.newest_mark().as_str(), kept.stored().contains(&backup)), ("swept", false));
}

#[tokio::test]
async fn a_blob_that_is_gone_before_its_turn_does_not_hold_up_the_rest_of_its_point() {
    let kept = Kept::let_go().await;
    kept.world.backups.keep(Keeping { versions: false, deleted_days: None });
    assert!(kept.world.backups.delete_blob(BACKUPS, &changed(FIRST)));
    kept.world.backups.keep(Keeping { versions: true, deleted_days: None });
    kept.after_the_pause().await;
    assert_eq!(kept.newest_mark(), "swept");
    assert!(!kept.stored().iter().any(|name| name.contains(FIRST)), "{:?}", kept.stored());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_deletes_nothing_and_holds_up_no_other_point() {
    let mut kept = Kept::let_go().await;
    let before = kept.stored();
    assert!(kept.world.backups.damage_blob(BACKUPS, DROP, |blob| blob.bytes = "torn".into()));
    kept.after_the_pause().await;
    assert_eq!((kept.stored(), kept.newest_mark().as_str()), (before.clone(), "dropped"));
    assert!(kept.kept_events() > 0, "the keeper says so");
    kept.nights(2).await;
    kept.after_the_pause().await;
    let after = kept.stored();
    assert!(after.contains(&changed(FIRST)), "it stays");
    assert!(!after.contains(&changed("20260120T020000Z-nightly")), "and the next point went: {after:?}");
}

#[tokio::test]
async fn a_mark_that_a_newer_program_wrote_hides_its_point_and_deletes_nothing() {
    let kept = Kept::let_go().await;
    let before = kept.stored();
    kept.world.backups.put_blob(BACKUPS, &DROP.replace("0001", "0002"), "", &[("mark", "archived")]);
    kept.after_the_pause().await;
    assert_eq!((kept.stored(), kept.offered().await.len()), (before, 3));
    assert_eq!(kept.newest_mark(), "archived", "and nothing is said after it");
}

#[tokio::test]
async fn two_passes_at_once_do_what_one_does() {
    let (mut twice, mut once) = (Kept::with(2, POLICY).await, Kept::with(2, POLICY).await);
    let other = keeper_of(&twice.world).await;
    for _ in 0..6 {
        for kept in [&mut twice, &mut once] {
            kept.changed_night().await;
        }
        once.pass().await;
        let now = twice.now() + Duration::hours(2);
        twice.world.at(now);
        let passes = tokio::join!(
            twice.keeper.fire("ApplyRetention", Firing::at(now)),
            other.fire("ApplyRetention", Firing::at(now)),
        );
        assert!(passes.0.succeeded() || passes.1.succeeded(), "{passes:?}");
        twice.world.assert_protected("kv-a");
    }
    for kept in [&twice, &once] {
        kept.after_the_pause().await;
    }
    assert_eq!(twice.stored(), once.stored());
    assert_eq!(twice.newest_mark(), "swept");
}

#[tokio::test]
async fn a_release_that_is_withdrawn_keeps_everything_again() {
    let mut kept = Kept::let_go().await;
    kept.world.set("KEYVAULT_BACKUP_VAULTS", "https://kv-other.vault.azure.net");
    kept.keeper = keeper_of(&kept.world).await;
    let release = ["retention", "release", "--vault", "kv-a", "--reason", "closed in March"];
    let withdraw = [&release[..], &["--withdraw"]].concat();
    assert_eq!(kept.world.json(&release).await["decided"], "release");
    assert_eq!(kept.world.json(&withdraw).await["decided"], "withdraw");
    let before = kept.stored();
    kept.world.at(kept.now() + Duration::days(STEP));
    kept.pass().await;
    assert_eq!(kept.stored(), before);
    assert_eq!(kept.offered().await.len(), 4, "what was let go before is offered again");
    assert_eq!(kept.world.json(&release).await["decided"], "release");
    kept.pass().await;
    assert!(kept.offered().await.len() < 4, "the newest word counts, also in the second of the one before");
}

#[tokio::test]
async fn a_source_goes_by_its_own_policy_and_the_others_by_the_one_for_all() {
    for policy in ["within=300; kv-a: within=30 months=0", "within=30 months=0; kv-b: within=300"] {
        let mut kept = Kept::with(1, policy).await;
        kept.nights(4).await;
        assert_eq!(kept.offered().await.len(), 3, "{policy}");
    }
    let mut kept = Kept::with(1, "within=30 months=0; kv-a: within=300").await;
    kept.nights(4).await;
    assert_eq!(kept.offered().await.len(), 4);
    let plan = kept.world.json(&["retention", "plan"]).await;
    let policy = plan["sources"][0]["policy"].as_str().expect("a policy");
    assert!(policy.starts_with("within=300 ") && policy.contains("months=0"), "{policy}");
}

#[tokio::test]
async fn a_record_that_does_not_say_what_it_holds_holds_the_whole_source() {
    let mut kept = Kept::with(1, POLICY).await;
    kept.nights(1).await;
    let codes = async |kept: &Kept| {
        let plan = kept.world.json(&["retention", "plan", "--vault", "kv-a"]).await;
        let points = plan["sources"][0]["points"].as_array().expect("points").clone();
        points.iter().map(|of| of["code"].as_str().expect("a code").to_owned()).collect::<Vec<_>>()
    };
    let of_other = r#"{"v":1,"source":"kv-b","kind":"vault","on":"run","run":"20200110T020000Z-nightly","ticket":"INC-1","reason":"r","by":{"via":"terminal"},"at":"2026-01-10T02:00:00Z"}"#;
    let own = of_other.replace("kv-b", "kv-a");
    for (name, record, expected) in [
        ("holds/vaults/kv-a/INC-1/0001.set", own.as_str(), "newest"),
        ("holds/vaults/kv-a/INC-1/0001.set", of_other, "held"),
        ("holds/vaults/kv-a/INC-2/0001.set", own.as_str(), "held"),
        ("holds/vaults/kv-a/INC-1/0001.set", "{", "held"),
        ("holds/vaults/kv-a/INC-1/0001.set", &own.replace(r#""v":1"#, r#""v":99"#), "held"),
        ("holds/vaults/kv-a/INC-1/0001.frozen", own.as_str(), "held"),
        ("holds/hsms/kv-a/INC-1/0001.set", "{", "held"),
        ("holds/vaults/kv-b/INC-1/0001.set", "{", "newest"),
    ] {
        kept.world.backups.put_blob(BACKUPS, name, "", &[("hold", record)]);
        assert_eq!(codes(&kept).await, [expected], "{name} {record}");
        if expected == "held" && !name.contains("frozen") {
            let release = name.replace("0001.set", "0001.released");
            kept.world.backups.put_blob(BACKUPS, &release, "", &[("hold", record)]);
            assert_eq!(codes(&kept).await, ["newest"], "{name} is released");
            kept.world.backups.delete_blob(BACKUPS, &release);
        }
        kept.world.backups.delete_blob(BACKUPS, name);
    }
}

//! The second place lets go what the first deleted, at a terminal, with the rights of its owners, and nothing else.

use std::{collections::BTreeSet, process::Output};

use keyvault_backup_emulator::{FaultKind, Rights, SecretSpec};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::{
    retention::STEP,
    second::{Second, named},
    world::{BACKUPS, NIGHT, PERSON},
};

const APPLY: [&str; 8] =
    ["retention", "apply", "--second", "--vault", "kv-a", "--really", "--reason", "expired"];

impl Second {
    /// Nights every ten days up to now, by the real time, at which a terminal is: each with a pass of retention, which keeps 30
    /// days, and one of copies.
    #[expect(clippy::disallowed_methods, reason = "the tool cannot be told another time")]
    async fn aged(nights: i64) -> Self {
        let mut second = Self::with(3).await;
        let all = (OffsetDateTime::now_utc() - NIGHT).whole_days() / STEP + 1;
        second.kept.nights = all - nights;
        for number in 0..nights {
            second.kept.world.vault.put_secret("secret-1", SecretSpec::new(format!("value {}", number / 4)));
            second.night().await;
            second.kept.pass().await;
            second.good_pass().await;
        }
        second.kept.world.today();
        second.own();
        second
    }

    /// Gives the terminal the rights of the second place's owners.
    fn own(&self) {
        self.second.take_rights(PERSON);
        self.second.give(PERSON, Rights::of("owner", "second"));
    }

    async fn apply(&self) -> Output {
        self.kept.world.cli(&[&APPLY[..], &["-o", "json"]].concat()).await
    }

    /// The verdicts and their codes, newest first.
    async fn verdicts(&self) -> Vec<(String, String)> {
        let plan = self.kept.world.json(&["retention", "plan", "--second", "--vault", "kv-a"]).await;
        let points = plan["sources"][0]["points"].as_array().unwrap_or_else(|| panic!("{plan}"));
        let text = |of: &Value| of.as_str().expect("text").to_owned();
        points.iter().map(|of| (text(&of["verdict"]), text(&of["code"]))).collect()
    }

    fn blobs_of_vaults(&self) -> BTreeSet<String> {
        let blobs = self.second.blobs(BACKUPS).into_iter();
        blobs.filter(|name| name.starts_with("vaults/")).collect()
    }

    /// Whatever a manifest names that is offered is there.
    fn assert_offered_is_whole(&self, when: &str) {
        let there = self.blobs_of_vaults();
        let hidden: BTreeSet<_> = self.second.blobs(BACKUPS).into_iter().collect();
        for manifest in
            there.iter().filter(|name| name.ends_with(".jsonl.gz") && name.contains("/manifests/"))
        {
            let run = manifest.rsplit('/').next().and_then(|name| name.split_once('-')).expect("a run").1;
            let mark = format!("owners/retention/vaults/kv-a/points/{}/", run.trim_end_matches(".jsonl.gz"));
            if hidden.iter().any(|name| name.starts_with(&mark)) {
                continue;
            }
            let bytes = self.second.blob(BACKUPS, manifest).expect("it is there").bytes;
            for name in named(&bytes) {
                assert!(there.contains(&name), "{when}: {manifest} names {name}, which is not there");
            }
        }
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test]
async fn what_the_first_place_deleted_goes_in_the_second_after_its_own_time_and_nothing_else() {
    let second = Second::aged(13).await;
    let (before, verdicts) = (Second::blobs(&second.second), second.verdicts().await);
    let of = |code: &str| verdicts.iter().filter(|(_, of)| of == code).count();
    let goes = of("deleted-in-first");
    assert!(goes > 2 && of("deleted-in-first-lately") > 0 && of("within") > 0, "{verdicts:?}");
    assert_eq!(verdicts.iter().filter(|(verdict, _)| verdict == "drop").count(), goes, "{verdicts:?}");
    assert!(Second::blobs(&second.second) == before, "a plan changes nothing");

    let done = second.apply().await;
    let said = json(&done);
    for what in ["dropped", "swept"] {
        assert_eq!(said[what].as_array().map(Vec::len), Some(goes), "{said}");
    }
    assert!(said["blobs"].as_u64() > Some(goes as u64), "{said}");
    second.assert_offered_is_whole("after it");
    let runs = second.json(&["list", "runs", "--vault", &second.kept.world.vault.url()]).await;
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(verdicts.len() - goes), "{runs}");
    let after = Second::blobs(&second.second);
    let stays = |name: &String| !name.starts_with("vaults/") && !name.starts_with("retention/copies/");
    assert!(before.iter().filter(|(name, _)| stays(name)).all(|(name, blob)| after.get(name) == Some(blob)));

    let trail = second.json(&["audit", "list"]).await;
    let told = trail["records"].as_array().expect("records").iter();
    assert_eq!(told.filter(|of| of["event"] == "retention-decided").count(), 1, "{trail}");
    assert!(second.cli(&["audit", "verify"]).await.status.success());
    assert_eq!(json(&second.apply().await)["blobs"], 0, "nothing is left to do");
    let verified = second.cli(&["verify", "--all"]).await;
    assert!(verified.status.success(), "what is offered can be read: {verified:?}");
    // The next pass of copies brings nothing back.
    let blobs = second.blobs_of_vaults();
    second.kept.world.at(second.kept.now() + Duration::HOUR);
    second.good_pass().await;
    assert_eq!(second.blobs_of_vaults(), blobs);
    let rebuilt = second.cli(&["rebuild", "--vault", &second.kept.world.vault.url()]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert_eq!(second.blobs_of_vaults(), blobs, "what was let go is not made again");
}

#[tokio::test]
async fn a_kill_at_any_request_leaves_every_point_whole_that_is_offered() {
    let second = Second::aged(11).await;
    let goes = second.verdicts().await.iter().filter(|(verdict, _)| verdict == "drop").count();
    assert!(goes > 0);
    let mut died = 0;
    for at in 0..200 {
        let how = if at % 2 == 0 { FaultKind::Hang } else { FaultKind::ResetAfter };
        let met = second.kept.world.trap(at, how);
        let done = tokio::select! {
            done = second.apply() => Some(done),
            () = met.notified() => None,
        };
        second.kept.world.azure.faults().clear();
        second.assert_offered_is_whole(&format!("killed at request {at}"));
        died += usize::from(done.is_none());
        if done.is_some_and(|done| done.status.success()) && died > at / 2 + 3 {
            break;
        }
    }
    assert!(died > 20, "{died}");
    assert!(second.apply().await.status.success());
    let left = second.verdicts().await;
    assert!(left.iter().all(|(verdict, _)| verdict == "keep"), "{left:?}");
    second.assert_offered_is_whole("at the end");
}

#[tokio::test]
async fn holds_of_both_places_keep_and_a_release_of_the_first_counts_only_after_the_seconds_own_time() {
    let mut second = Second::aged(11).await;
    let keeps_all =
        async |second: &Second| second.verdicts().await.iter().all(|(verdict, _)| verdict == "keep");
    assert!(!keeps_all(&second).await);
    let hold = |act: &'static str, place: &'static [&'static str]| {
        [&["hold", act, "--vault", "kv-a", "--ticket", "INC-1", "--reason", "an inquiry"], place].concat()
    };
    let set = second.kept.world.cli(&hold("set", &["--second"])).await;
    assert!(set.status.success(), "{set:?}");
    assert!(keeps_all(&second).await, "its owners hold it");
    let blobs = second.blobs_of_vaults();
    assert!(second.apply().await.status.success());
    assert_eq!(second.blobs_of_vaults(), blobs);
    assert!(second.kept.world.cli(&hold("release", &["--second"])).await.status.success());
    assert!(!keeps_all(&second).await);

    let set = second.kept.world.cli(&hold("set", &[])).await;
    assert!(set.status.success(), "{set:?}");
    second.kept.world.at(second.kept.now() + Duration::HOUR);
    second.good_pass().await;
    assert!(keeps_all(&second).await, "the first place holds it");
    let released = second.kept.world.cli(&hold("release", &["--second"])).await;
    assert!(!released.status.success(), "a hold of the first place is released there: {released:?}");
    assert!(second.kept.world.cli(&hold("release", &[])).await.status.success());
    second.good_pass().await;
    assert!(keeps_all(&second).await, "whoever has the keeper may have forged the release");
    second.kept.world.set("KEYVAULT_BACKUP_INTERVAL_HOURS", "1");
    let plan = second.kept.world.json(&["retention", "plan", "--second", "--vault", "kv-a"]).await;
    assert!(plan["sources"][0]["keepsEverything"].is_string(), "a source in doubt keeps everything: {plan}");
    let release = ["retention", "release", "--second", "--vault", "kv-a", "--reason", "closed"];
    assert!(second.kept.world.cli(&release).await.status.success());
    let plan = second.kept.world.json(&["retention", "plan", "--second", "--vault", "kv-a"]).await;
    assert_eq!(plan["sources"][0]["keepsEverything"], Value::Null, "its owners release it: {plan}");
}

/// A keeper in the hands of an attacker says that everything was deleted, and waits for the owners.
#[tokio::test]
async fn what_a_keeper_forges_lets_nothing_go_before_there_was_time_to_notice() {
    let second = Second::aged(6).await;
    let runs: Vec<_> = second.kept.world.manifests("kv-a").into_iter().collect();
    for manifest in runs {
        let run = manifest.rsplit('/').next().and_then(|name| name.split_once('-')).expect("a run").1;
        let mark = format!("retention/vaults/kv-a/points/{}/0009", run.trim_end_matches(".jsonl.gz"));
        second.second.put_blob(BACKUPS, &mark, "", &[("mark", "swept")]);
    }
    let blobs = second.blobs_of_vaults();
    let verdicts = second.verdicts().await;
    assert!(verdicts.iter().all(|(verdict, _)| verdict == "keep"), "{verdicts:?}");
    assert!(second.apply().await.status.success());
    assert_eq!(second.blobs_of_vaults(), blobs);
}

#[tokio::test]
async fn without_the_rights_of_the_owners_nothing_is_deleted() {
    let second = Second::aged(11).await;
    second.second.take_rights(PERSON);
    second.second.give(PERSON, Rights::of("person", "second"));
    let blobs = second.blobs_of_vaults();
    let refused = second.apply().await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("AuthorizationPermissionMismatch"), "{refused:?}");
    assert_eq!(second.blobs_of_vaults(), blobs);
    second.own();
    assert!(second.apply().await.status.success());
    assert!(second.blobs_of_vaults().len() < blobs.len(), "its owners go on");
}

#[tokio::test]
async fn what_people_forgot_goes_in_the_second_place_too_and_forgetting_says_what_is_left_there() {
    let second = Second::aged(4).await;
    let right = Rights::of("person", "backups").with("blobs/delete").with("blobs/deleteBlobVersion/action");
    second.kept.world.backups.give(PERSON, right);
    let forget =
        ["retention", "forget", "--vault", "kv-a", "--secret", "secret-1", "--really", "--reason", "leaked"];
    let said = second.kept.world.json(&forget).await;
    let (copies, until) = (said["secondPlace"]["backups"].as_u64(), said["secondPlace"]["until"].as_str());
    assert!(copies > Some(0) && until.is_some(), "{said}");
    let told = second.kept.world.cli(&forget[..6]).await;
    let told = String::from_utf8_lossy(&told.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
        + &String::from_utf8_lossy(&told.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let all = format!("from {} on its owners can let all of them go", until.expect("a day"));
    assert!(told.contains(&all), "{told}");

    // The decision arrives, by the clock of the second place.
    second.kept.world.at(second.kept.now() + Duration::HOUR);
    second.good_pass().await;
    let there = |second: &Second| {
        let blobs = second.blobs_of_vaults();
        blobs.iter().filter(|name| name.contains("/secret-1/backup")).count() as u64
    };
    let plan = async |second: &Second| {
        let plan = second.kept.world.json(&["retention", "plan", "--second", "--vault", "kv-a"]).await;
        plan["sources"][0]["forgotten"][0].clone()
    };
    let stays = plan(&second).await;
    assert!(stays["backups"].as_u64() == copies && stays["stays"].is_string(), "{stays}");
    assert!(second.apply().await.status.success());
    assert_eq!(Some(there(&second)), copies, "it arrived just now");
    // A decision of long ago.
    let record = |name: &String| name.starts_with("retention/people/vaults/kv-a/");
    let name = second.second.blobs(BACKUPS).into_iter().find(record).expect("it is copied");
    let long_ago = second.kept.now() - Duration::days(36);
    second.second.damage_blob(BACKUPS, &name, |blob| blob.last_modified = long_ago);
    assert_eq!(plan(&second).await["stays"], Value::Null);
    assert!(second.apply().await.status.success());
    assert_eq!(there(&second), 0);
    assert_eq!(plan(&second).await, Value::Null, "nothing is left");
}

#[tokio::test]
async fn what_a_verification_finds_in_the_second_place_is_on_record_there_and_nowhere_else() {
    let mut second = Second::aged(2).await;
    let well = second.kept.world.cli(&["verify", "--second", "--all"]).await;
    assert!(well.status.success(), "{well:?}");
    let find = |second: &Second| {
        let blobs = second.second.blobs(BACKUPS).into_iter();
        blobs.filter(|name| name.starts_with("owners/verifications/")).count()
    };
    assert_eq!(find(&second), 1);
    let of_keeper = second.kept.world.stored_below("verifications/");
    let names = second.second.blobs(BACKUPS).into_iter();
    let name = names.filter(|name| name.ends_with("/secret-2/backup")).max().expect("it is copied");
    assert!(second.second.flip_bit(BACKUPS, &name));
    let found = second.kept.world.cli(&["verify", "--second", "--all", "-o", "json"]).await;
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert_eq!(find(&second), 2);

    second.kept.world.vault.remove(keyvault_backup_emulator::Kind::Secret, "secret-2");
    let url = second.kept.world.vault.url();
    let plan = second.json(&["restore", "--vault", &url, "--secret", "secret-2", "--what-if"]).await;
    assert!(format!("{plan}").contains("damaged"), "it is taken out of plans there: {plan}");
    let status = second.kept.world.ok("/api/status").await;
    assert!(!format!("{status}").contains("backups-damaged"), "{status}");
    assert_eq!(second.kept.world.stored_below("verifications/"), of_keeper);
    let looked = second.cli(&["verify", "--all"]).await;
    assert_eq!((looked.status.code(), find(&second)), (Some(1), 2), "--from second records nothing");
}

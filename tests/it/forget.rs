//! Forgetting: no backup of the object is offered any longer, each is deleted as soon as it may be, and no other is.

use keyvault_backup_emulator::{
    Fault, FaultKind, Forbidden, Keeping, Kind, Policy, Rights, SecretSpec, Service,
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::{
    retention::{KEEPER, Kept},
    world::{BACKUPS, PERSON, World},
};

const DAY: Duration = Duration::DAY;

/// What a person needs to delete backups.
const DELETE: [&str; 2] = ["blobs/delete", "blobs/deleteBlobVersion/action"];

/// A world with a keeper that was backed up yesterday and the day before. The secret `secret-0` has two backups.
struct Forgotten {
    kept: Kept,
    today: OffsetDateTime,
}

impl Forgotten {
    async fn new() -> Self {
        let mut kept = Kept::with(2, "within=30 months=0").await;
        let today = kept.world.today();
        for ago in [2, 1] {
            let night = today - DAY * ago;
            kept.world.at(night - Duration::hours(12));
            kept.world.vault.put_secret("secret-0", SecretSpec::new(format!("value of {ago}")));
            kept.world.night(night).await;
        }
        kept.world.today();
        let of = Self { kept, today };
        assert_eq!(of.kept.backups_of("secret-0").len(), 2);
        of
    }

    /// Gives the person at the terminal the right to delete.
    fn may_delete(&self) {
        let rights = Rights::of("person", "backups");
        self.world().backups.give(PERSON, DELETE.into_iter().fold(rights, Rights::with));
    }

    fn world(&self) -> &World {
        &self.kept.world
    }

    async fn forget(&self, args: &[&str]) -> (Option<i32>, Value) {
        self.tool(&[&["retention", "forget", "--secret", "secret-0"], args].concat()).await
    }

    async fn really(&self) -> (Option<i32>, Value) {
        self.forget(&["--really", "--reason", "it leaked"]).await
    }

    async fn tool(&self, args: &[&str]) -> (Option<i32>, Value) {
        let url = self.world().vault.url();
        let output = self.world().cli(&[args, &["--vault", &url, "-o", "json"]].concat()).await;
        let printed = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let read = serde_json::from_slice(printed).unwrap_or_else(|_| panic!("{args:?}: {output:?}"));
        (output.status.code(), read)
    }

    /// The objects that are offered, now or as of a time.
    async fn offered(&self, at: &[&str]) -> Vec<String> {
        let (_, list) = self.tool(&[&["list", "objects"], at].concat()).await;
        let objects = list["objects"].as_array().unwrap_or_else(|| panic!("{list}"));
        objects.iter().map(|of| of["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// A pass of the keeper so long from now.
    async fn pass_in(&self, after: Duration) {
        self.world().at(self.today + after);
        self.kept.pass().await;
    }
}

#[tokio::test]
async fn what_is_forgotten_is_deleted_and_not_offered_as_of_any_time() {
    let of = Forgotten::new().await;
    of.may_delete();
    let before = of.kept.stored();
    let (code, plan) = of.forget(&[]).await;
    assert_eq!(
        (code, &plan["done"], plan["backups"].as_array().map(Vec::len)),
        (Some(0), &false.into(), Some(2))
    );
    assert_eq!(of.kept.stored(), before, "a plan changes nothing");

    let (code, done) = of.really().await;
    assert_eq!((code, &done["done"]), (Some(0), &true.into()), "{done}");
    assert!(of.kept.backups_of("secret-0").is_empty());
    for name in before.iter().filter(|name| name.contains("/objects/secret/secret-0/")) {
        assert!(of.world().backups.versions(BACKUPS, name).is_empty(), "{name} has a version left");
    }
    assert_eq!(of.kept.backups_of("secret-1").len(), 1, "and no other object's");
    let yesterday = (of.today - DAY + Duration::HOUR).format(&time::format_description::well_known::Rfc3339);
    let yesterday = yesterday.expect("a time");
    for at in [&[][..], &["--at", &yesterday]] {
        assert_eq!(of.offered(at).await, ["secret-1"], "{at:?}");
    }
    let (_, history) = of.tool(&["list", "history", "--secret", "secret-0"]).await;
    assert!(history["backups"].as_array().is_none_or(Vec::is_empty), "{history}");
    let (_, refused) = of.tool(&["restore", "--what-if", "--secret", "secret-0"]).await;
    assert!(
        refused.to_string().contains("secret-0") && !refused.to_string().contains("\"restore\":1"),
        "{refused}"
    );
    let trail = of.world().json(&["audit", "list"]).await;
    assert!(trail.to_string().contains("it leaked"), "{trail}");
    let (code, again) = of.really().await;
    assert_eq!(
        (code, again["backups"].as_array().map(Vec::len)),
        (Some(0), Some(0)),
        "it is safe to run twice"
    );
}

#[tokio::test]
async fn what_is_still_in_its_vault_is_backed_up_again_and_restores() {
    let mut of = Forgotten::new().await;
    of.may_delete();
    of.really().await;
    let night = of.kept.world.night(of.today + DAY).await;
    assert_eq!(night["numbers"]["backed_up"], 1, "{night}");
    assert_eq!(of.kept.backups_of("secret-0").len(), 1);
    // The next night knows it, and so do those whose index began before.
    let night = of.kept.world.night(of.today + DAY * 2).await;
    assert_eq!(
        (&night["numbers"]["backed_up"], &night["numbers"]["listed"]),
        (&0.into(), &2.into()),
        "{night}"
    );
    assert_eq!(of.offered(&[]).await, ["secret-0", "secret-1"]);
    let (_, history) = of.tool(&["list", "history", "--secret", "secret-0"]).await;
    assert_eq!(history["backups"].as_array().map(Vec::len), Some(1), "{history}");
    of.world().vault.delete(Kind::Secret, "secret-0").expect("it is deleted");
    of.world().vault.purge(Kind::Secret, "secret-0").expect("it is purged");
    let (_, done) = of.tool(&["restore", "--secret", "secret-0", "--yes"]).await;
    assert_eq!(done["numbers"]["restored"], 1, "{done}");
    let (code, checked) = of.tool(&["rebuild"]).await;
    assert_eq!(code, Some(0), "the catalogue is sound: {checked}");
}

#[tokio::test]
async fn a_manifest_that_named_it_can_be_read_after_damage() {
    let of = Forgotten::new().await;
    of.may_delete();
    of.really().await;
    for name in of.world().manifests("kv-a") {
        assert!(of.world().backups.flip_bit(BACKUPS, &name), "{name}");
    }
    assert_eq!(of.offered(&[]).await, ["secret-1"]);
    let (_, runs) = of.tool(&["list", "runs"]).await;
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2), "{runs}");
}

#[tokio::test]
async fn without_the_right_to_delete_it_is_on_record_and_the_keeper_deletes() {
    let of = Forgotten::new().await;
    let (code, done) = of.really().await;
    let stays = done["backups"][0]["stays"].as_str().unwrap_or_default();
    assert!(code == Some(1) && stays.contains("AuthorizationPermissionMismatch"), "{code:?} {done}");
    assert_eq!(of.offered(&[]).await, ["secret-1"], "it is not offered, deleted or not");
    of.pass_in(Duration::HOUR).await;
    assert!(of.kept.backups_of("secret-0").is_empty());
    of.pass_in(DAY * 2).await;
    let done = of.world().stored_below("retention/vaults/kv-a/forgotten/");
    assert_eq!(done.len(), 1, "{done:?}");
}

#[tokio::test]
async fn the_keeper_deletes_nothing_that_the_next_night_does_not_know_to_be_forgotten() {
    let mut of = Forgotten::new().await;
    of.really().await;
    let told = of.kept.stored().into_iter().find(|name| name.ends_with(".forgotten"));
    of.world().backups.keep(Keeping { versions: false, deleted_days: None });
    assert!(of.world().backups.delete_blob(BACKUPS, &told.expect("the next night is told")));
    of.pass_in(Duration::HOUR).await;
    assert_eq!(of.kept.backups_of("secret-0").len(), 2, "the attempt did not come that far");
    of.world().today();
    of.may_delete();
    let (code, done) = of.really().await;
    assert_eq!(code, Some(0), "{done}");
    let night = of.kept.world.night(of.today + DAY).await;
    assert_eq!(night["numbers"]["backed_up"], 1, "{night}");
}

#[tokio::test]
async fn an_app_that_adds_the_name_of_a_decision_hides_nothing() {
    let mut of = Forgotten::new().await;
    for (countdown, secret) in [("95895647999", "secret-0"), ("98201387720", "secret-1")] {
        let name = format!("vaults/kv-a/manifests/{countdown}-secret-{secret}.forgotten");
        of.world().backups.put_blob(BACKUPS, &name, "", &[]);
    }
    assert_eq!(of.offered(&[]).await, ["secret-0", "secret-1"]);
    let night = of.kept.world.night(of.today + DAY).await;
    let numbers = &night["numbers"];
    assert_eq!((&numbers["backed_up"], &numbers["listed"]), (&0.into(), &2.into()), "{night}");
}

#[tokio::test]
async fn a_hold_and_what_storage_keeps_delay_it_and_then_it_goes_by_itself() {
    let of = Forgotten::new().await;
    of.may_delete();
    let all: Vec<_> = of.kept.stored().into_iter().filter(|name| name.ends_with("secret-0/backup")).collect();
    let until = of.today + DAY * 9;
    let policy = Some(Policy { until, locked: true });
    assert!(of.world().backups.damage_blob(BACKUPS, &all[1], |blob| blob.policy = policy));
    let hold = ["--ticket", "LAW-7", "--reason", "an inquiry"];
    let run = all[0].split('/').nth(3).expect("a run");
    of.tool(&[&["hold", "set", "--run", run], &hold[..]].concat()).await;

    let (code, done) = of.really().await;
    let stays = done["backups"].to_string();
    assert!(code == Some(1) && stays.contains("hold LAW-7 is on it"), "{code:?} {done}");
    assert!(stays.contains(&format!("\"until\":\"{}\"", until.date())), "{done}");
    of.pass_in(Duration::HOUR).await;
    assert_eq!(of.kept.backups_of("secret-0").len(), 2, "both stay");
    of.world().today();
    of.tool(&[&["hold", "release"], &hold[..]].concat()).await;
    of.pass_in(Duration::HOUR * 4).await;
    assert_eq!(of.kept.backups_of("secret-0").len(), 1, "its hold is released");
    of.pass_in(DAY * 8).await;
    assert_eq!(of.kept.backups_of("secret-0").len(), 1);
    of.pass_in(DAY * 10).await;
    assert!(of.kept.backups_of("secret-0").is_empty(), "its time in storage is over");
}

#[tokio::test]
async fn what_is_forgotten_keeps_no_point_although_its_object_is_gone() {
    let mut of = Forgotten::new().await;
    of.may_delete();
    of.world().vault.remove(Kind::Secret, "secret-0");
    of.really().await;
    let first = of.world().manifests("kv-a");
    for night in (10..=50).step_by(10) {
        of.kept.world.night(of.today + DAY * night).await;
        of.pass_in(DAY * night + Duration::HOUR).await;
    }
    let stored = of.world().manifests("kv-a");
    assert!(stored.len() >= 4 && first.iter().all(|name| !stored.contains(name)), "{stored:?}");
}

#[tokio::test]
async fn only_named_objects_that_have_a_backup_are_forgotten() {
    let of = Forgotten::new().await;
    let (code, refused) = of.tool(&["retention", "forget", "--really", "--reason", "all of it"]).await;
    assert!(code == Some(2) && refused.to_string().contains("--secret"), "{refused}");
    let spelt = ["retention", "forget", "--secret", "secret-O", "--really", "--reason", "it leaked"];
    let (code, refused) = of.tool(&spelt).await;
    assert!(code != Some(0) && refused.to_string().contains("no backup of secret secret-O"), "{refused}");
    assert!(of.world().stored_below("retention/people/").is_empty());
}

#[tokio::test]
async fn an_attempt_that_fails_anywhere_is_finished_by_another() {
    for after in 0.. {
        let of = Forgotten::new().await;
        of.may_delete();
        let refused = FaultKind::Forbidden(Forbidden::ByRbac);
        let fault = Fault::on(Service::Blob).after(after).times(1).reply(refused);
        of.world().azure.faults().add(fault);
        let (code, said) = of.really().await;
        if of.world().azure.faults().fired().is_empty() {
            assert!(code == Some(0) && after > 10, "{after}: {said}");
            break;
        }
        of.world().azure.faults().clear();
        let (code, said) = of.really().await;
        assert_eq!(code, Some(0), "{after}: {said}");
        assert!(of.kept.backups_of("secret-0").is_empty(), "{after}");
        assert_eq!(of.offered(&[]).await, ["secret-1"], "{after}");
    }
}

#[tokio::test]
async fn no_app_can_decide_to_forget() {
    let of = Forgotten::new().await;
    for app in ["backup", "restore", KEEPER] {
        of.world().backups.take_rights(PERSON);
        of.world().backups.give(PERSON, Rights::of(app, "backups"));
        let (code, refused) = of.really().await;
        let why = "AuthorizationPermissionMismatch";
        assert!(code == Some(2) && refused.to_string().contains(why), "{app}: {refused}");
        assert_eq!(of.kept.backups_of("secret-0").len(), 2, "{app}");
    }
}

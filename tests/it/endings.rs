//! Everything open has an end that depends on the clock alone.

use keyvault_backup_emulator::{FaultKind, Operation, Service};
use serde_json::json;

use crate::{
    hsm_world::HsmWorld,
    world::{JOBS, Manifest, NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;
const RUN: &str = "backup-runs/kv-a/20260110T020000Z-nightly";

impl World {
    /// Makes the record in a blob's metadata unreadable.
    fn spoil_record(&self, name: &str) {
        let spoiled = self.work.damage_blob(JOBS, name, |blob| {
            blob.metadata.iter_mut().for_each(|(_, text)| text.truncate(text.len() / 2));
        });
        assert!(spoiled, "{name} is there");
    }

    /// What is open, of any kind.
    fn open(&self) -> Vec<String> {
        let kinds = ["backup-runs/", "open-restores/", "hsm-jobs/"];
        let open = |name: &String| kinds.iter().any(|kind| name.starts_with(kind));
        self.work.blobs(JOBS).into_iter().filter(open).collect()
    }

    /// Looks at what is open, or plans the night first, and dies at the first request that lists the vault. Says whether
    /// there was one.
    async fn die_while_listing(&mut self, timer: bool) -> bool {
        let host = self.host().await;
        let met = self.trap_on(Operation::ListSecrets, 0, FaultKind::Hang);
        let died = tokio::select! {
            () = async { if timer { self.fire(NIGHT).await; } else { self.advance().await; } } => false,
            () = met.notified() => true,
        };
        self.azure.faults().clear();
        if died {
            host.restart().await.expect("it starts again");
        }
        died
    }
}

/// A run that dies whenever it lists is ended by the first look after its hours, which asks the vault nothing.
#[tokio::test]
async fn giving_up_needs_nothing_from_the_vault() {
    let mut world = World::with_secrets(2).await;
    assert!(world.die_while_listing(true).await, "it lists");
    let mut deaths = 1;
    while world.azure.clock().now() < NIGHT + DAY * 5 / 6 {
        world.pass(44);
        deaths += usize::from(world.die_while_listing(false).await);
    }
    assert!(deaths > 20, "it died {deaths} times");
    world.fault(Service::Vault, FaultKind::Hang);
    let mark = world.azure.requests().mark();
    assert!(world.advance().await.succeeded());
    let Manifest { header, summary, .. } = world.newest("kv-a");
    assert_eq!((&summary["verdict"], world.open()), (&json!("Failed"), Vec::new()));
    assert_eq!(header["unlisted"][0]["failure"]["code"], "NotPlanned");
    let asked = world.azure.requests().since(mark).iter().any(|entry| entry.service == Service::Vault);
    assert!(!asked, "the vault is not asked");
}

/// What was last said when it could not be listed is what its manifest says.
#[tokio::test]
async fn a_run_that_is_never_planned_ends_with_the_last_words() {
    let mut world = World::with_secrets(2).await;
    world.fault(Operation::ListSecrets, FaultKind::Status(501));
    world.fire(NIGHT).await;
    world.azure.faults().clear();
    world.fault(Service::Vault, FaultKind::Hang);
    world.pass(20 * 60);
    assert!(world.advance().await.succeeded());
    assert_eq!(world.newest("kv-a").header["unlisted"][0]["failure"]["status"], 501);
}

/// A run is its name where its record cannot be read: it goes on and is closed as any other.
#[tokio::test]
async fn a_damaged_record_costs_its_run_nothing() {
    let mut world = World::with_secrets(3).await;
    world.fire(NIGHT).await;
    world.spoil_record(RUN);
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn a_run_with_a_damaged_record_ends_when_its_hours_are_over() {
    let mut world = World::with_secrets(3).await;
    world.fire(NIGHT).await;
    world.lose_messages();
    world.spoil_record(RUN);
    world.pass(20 * 60);
    assert!(world.advance().await.succeeded());
    let summary = world.newest("kv-a").summary;
    assert_eq!((&summary["numbers"]["failed"], world.open()), (&json!(3), Vec::new()));
}

/// Neither its record nor its plan can be read by this program: it is open no longer, and nothing else of it goes.
#[tokio::test]
async fn a_run_of_a_newer_program_is_left_alone_while_it_may_be_at_work() {
    let mut world = World::with_secrets(1).await;
    world.fire(NIGHT).await;
    world.lose_messages();
    world.work.put_blob(JOBS, RUN, "", &[("job", r#"{"v":9,"vault":"kv-a"}"#)]);
    let plan = "vaults/kv-a/runs/20260110T020000Z-nightly/plan.jsonl.gz";
    world.backups.flip_bit("backups", plan);
    let before = world.backups.blobs("backups");
    world.pass(19 * 60);
    assert!(world.advance().await.succeeded());
    assert_eq!((world.open().len(), &world.backups.blobs("backups")), (1, &before));
    world.pass(60);
    world.advance().await;
    assert_eq!(world.open(), Vec::<String>::new());
    assert!(world.backups.blobs("backups").starts_with(&[]), "{before:?}");
}

/// What lies among the open things and has no name of one.
#[tokio::test]
async fn strays_go_after_a_day_and_loudly() {
    let mut world = World::with_secrets(1).await;
    let strays =
        ["backup-runs/nonsense", "backup-runs/kv-a/nonsense", "open-restores/nonsense", "hsm-jobs/nonsense"];
    for stray in strays {
        world.work.put_blob(JOBS, stray, "", &[]);
    }
    world.pass(12 * 60);
    world.advance().await;
    assert_eq!(world.open().len(), strays.len());
    world.pass(12 * 60);
    world.advance().await;
    assert_eq!(world.open(), Vec::<String>::new());
    let lines = world.handler_lines().await;
    for stray in strays {
        assert!(
            lines.iter().any(|line| line.text.contains("job.unreadable") && line.text.contains(stray)),
            "{stray}"
        );
    }
}

/// The HSM is given free; what runs there goes on.
#[tokio::test]
async fn a_damaged_job_of_an_hsm_ends_after_a_day() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    let name = of.open().remove(0);
    of.world.work.damage_blob(JOBS, &name, |blob| blob.bytes = blob.bytes.slice(..20));
    of.world.pass(23 * 60);
    of.minutes(1).await;
    assert_eq!(of.open(), [name]);
    of.world.pass(60);
    of.minutes(1).await;
    assert_eq!(of.open(), Vec::<String>::new());
    of.fire_now().await;
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Succeeded");
}

/// The last HSM is not in the settings any more: its jobs end all the same.
#[tokio::test]
async fn jobs_end_without_any_hsm_in_the_settings() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.world.set("KEYVAULT_BACKUP_HSMS", "");
    of.world.restart_with_settings().await;
    of.world.at(NIGHT + DAY);
    of.minutes(1).await;
    assert_eq!(of.records("hsm-a")[0]["failure"]["code"], "NotConfigured");
    assert_eq!(of.open(), Vec::<String>::new());
    let mark = of.world.azure.requests().mark();
    of.minutes(3).await;
    let asked = of.world.azure.requests().since(mark);
    let asked = asked.iter().filter(|entry| entry.operation == Operation::ListBlobs).count();
    assert!(asked <= 7, "who has none is asked once: {asked}");
}

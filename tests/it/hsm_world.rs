//! A world with Managed HSMs.

use std::time::Duration;

use keyvault_backup_emulator::{
    HsmHandle, KeySpec, Rights, Snapshot, StorageHandle,
    host::{Firing, HttpAnswer, Invocation},
};
use serde_json::{Value, json};

use crate::world::{BACKUPS, JOBS, NIGHT, PERSON, World};

/// The container that HSMs are backed up into.
pub const LANDING: &str = "hsm-backups";

/// A world with HSMs that may write into their container.
pub struct HsmWorld {
    pub world: World,
    pub hsm: HsmHandle,
    pub landing: StorageHandle,
}

/// Asks for a restore of the whole HSM.
pub fn everything() -> Value {
    json!({ "hsm": "hsm-a", "everything": true })
}

impl HsmWorld {
    /// One HSM, `hsm-a`, with a key.
    pub async fn new() -> Self {
        Self::with(&["hsm-a"]).await
    }

    /// Several HSMs.
    pub async fn with(names: &[&str]) -> Self {
        let mut world = World::with_secrets(1).await;
        let landing = world.azure.storage("landing");
        landing.create_container(LANDING);
        landing.give("", Rights::of("backup", "landing"));
        landing.give("", Rights::of("restore", "landing"));
        landing.give(PERSON, Rights::of("person", "landing"));
        let container = format!("{}/{LANDING}", landing.blob_url());
        let hsms: Vec<_> = names.iter().map(|name| world.azure.hsm(name)).collect();
        for hsm in &hsms {
            hsm.attach_identity(true);
            hsm.grant(&container);
            hsm.set_operation_seconds(90);
            hsm.put_key("signing", KeySpec::rsa(2048));
        }
        let urls: Vec<_> = hsms.iter().map(HsmHandle::url).collect();
        world.set("KEYVAULT_BACKUP_HSMS", &urls.join(" "));
        world.set("KEYVAULT_BACKUP_HSM_CONTAINER", &container);
        Self { hsm: hsms[0].clone(), world, landing }
    }

    /// Fires the timer for the night.
    pub async fn fire(&mut self) -> Invocation {
        self.world.at(NIGHT);
        self.world.host().await.fire("NightlyHsmBackup", Firing::at(NIGHT)).await
    }

    /// Fires the timer for an occurrence now.
    pub async fn fire_now(&mut self) -> Invocation {
        let now = self.world.azure.clock().now();
        self.world.host().await.fire("NightlyHsmBackup", Firing::at(now)).await
    }

    /// So many looks, a minute apart.
    pub async fn minutes(&mut self, minutes: usize) {
        for _ in 0..minutes {
            self.world.advance().await;
        }
    }

    /// Looks until no job is open, for at most two days; after two hours every ten minutes.
    pub async fn settle(&mut self) {
        let began = self.world.azure.clock().now();
        while self.world.azure.clock().now() - began < time::Duration::days(2) {
            if self.world.azure.clock().now() - began >= time::Duration::hours(2) {
                self.world.azure.clock().advance(Duration::from_secs(9 * 60));
            }
            self.world.advance().await;
            if self.open().is_empty() {
                return;
            }
        }
        panic!("a job is still open: {:?}", self.open());
    }

    pub fn open(&self) -> Vec<String> {
        let jobs = self.world.work.blobs(JOBS).into_iter();
        jobs.filter(|name| name.starts_with("hsm-jobs/")).collect()
    }

    /// What is on record of an HSM's backups, newest first.
    pub fn records(&self, hsm: &str) -> Vec<Value> {
        let prefix = format!("hsms/{hsm}/backups/");
        let names = self.world.backups.blobs(BACKUPS).into_iter().filter(|name| name.starts_with(&prefix));
        let record = |name: String| {
            let blob = self.world.backups.blob(BACKUPS, &name).expect("it is stored");
            serde_json::from_str(blob.meta("backup").expect("it has a record")).expect("it is JSON")
        };
        names.map(record).collect()
    }

    /// How many backups the HSM took on.
    pub fn backups_started(&self) -> usize {
        self.hsm.starts_sent().backups
    }

    /// One HSM, backed up one night; and it is today.
    pub async fn backed_up() -> Self {
        Self::all_backed_up(&["hsm-a"]).await
    }

    /// Several HSMs, backed up one night; and it is today.
    pub async fn all_backed_up(names: &[&str]) -> Self {
        let mut of = Self::with(names).await;
        of.hsm.add_role_assignment("Crypto Officer for somebody");
        of.fire().await;
        of.settle().await;
        of.world.today();
        of
    }

    /// What the HSM holds.
    pub fn state(&self) -> (Snapshot, Vec<String>) {
        (self.hsm.keys(), self.hsm.role_assignments())
    }

    /// Changes everything that a restore of everything brings back.
    pub fn wreck(&self) {
        self.lose("signing");
        self.hsm.put_key("newer", KeySpec::ec("P-256"));
        self.hsm.add_role_assignment("Administrator for somebody else");
    }

    /// Deletes a key and purges it.
    pub fn lose(&self, key: &str) {
        self.hsm.delete_key(key).expect("it is deleted");
        self.hsm.purge_key(key).expect("it is purged");
    }

    /// Carries a plan out, with the HSM's name where that is asked for.
    pub async fn begin(&mut self, plan: &Value) -> HttpAnswer {
        let body = json!({ "plan": plan["digest"], "confirm": plan["target"] });
        self.world.post("/api/restores", body).await
    }

    /// Plans, carries out, follows to the end. The plan comes first, then the report.
    pub async fn restored(&mut self, request: Value) -> (Value, Value) {
        let plan = self.world.plan(request).await;
        let begun = self.begin(&plan).await;
        (plan, self.followed(&begun).await)
    }

    /// Follows a restore to its end.
    pub async fn followed(&mut self, begun: &HttpAnswer) -> Value {
        assert!([200, 202].contains(&begun.status), "{}", begun.text());
        let id = begun.json()["id"].as_str().expect("it has a name").to_owned();
        self.settle().await;
        self.world.ok(&format!("/api/restores/{id}")).await
    }
}

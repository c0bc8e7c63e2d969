//! With the rights that the templates give: every blob in the container of backups is added once, by one request, and no
//! app may add what people decide, or change or delete anything.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyvault_backup::azure::{
    container::{Container, Metadata, Written},
    error::{Meaning, ServiceError},
};
use keyvault_backup_emulator::{Azure, Fault, FaultKind, Matcher, Operation, Rights, StorageHandle, Taken};

use crate::{
    wire::Wire,
    world::{BACKUPS, NIGHT, World},
};

/// What only people record, at a terminal.
const OF_PEOPLE: [&str; 4] = ["acknowledged/", "attestations/", "holds/", "retention/people/"];

/// The container of backups, as an app's client sees it.
struct Stage {
    _azure: Azure,
    storage: StorageHandle,
    container: Container,
}

impl Stage {
    async fn of(app: &str) -> Self {
        let azure = Azure::start().await.expect("the emulator starts");
        let storage = azure.storage("backups");
        storage.create_container(BACKUPS);
        storage.give("", Rights::of(app, "backups"));
        let wire = Wire::new(&azure, [storage.blob_url().replace("https://", "")]);
        let url = format!("{}/{BACKUPS}", storage.blob_url()).parse().expect("a URL");
        let container = Container::new(&url, &wire.connection).expect("the client is built");
        Self { _azure: azure, storage, container }
    }

    async fn add(&self, name: &str, bytes: &str, value: &str) -> Result<Written, ServiceError> {
        self.container.add(name, bytes.into(), metadata(value)).await
    }
}

fn metadata(value: &str) -> Metadata {
    [("entry".to_owned(), value.to_owned())].into()
}

fn is_denied<T: std::fmt::Debug>(answer: Result<T, ServiceError>) {
    let error = answer.expect_err("it is refused");
    assert_eq!(
        (error.meaning, error.failure.code.as_str()),
        (Meaning::Denied, "AuthorizationPermissionMismatch"),
        "{error}"
    );
}

#[tokio::test]
async fn no_app_may_add_what_people_decide() {
    for app in ["backup", "restore", "keeper"] {
        let stage = Stage::of(app).await;
        for prefix in OF_PEOPLE {
            is_denied(stage.add(&format!("{prefix}x"), "x", "x").await);
        }
        assert!(stage.storage.blobs(BACKUPS).is_empty(), "{app}");
        let rights = Rights::of(app, "backups");
        assert!(rights.adds_under().len() > 2, "{app}");
        for prefix in rights.adds_under() {
            assert_eq!(
                stage.add(&format!("{prefix}x"), "x", "x").await.expect("it is added"),
                Written::Created
            );
        }
    }
    let stage = Stage::of("person").await;
    for prefix in OF_PEOPLE {
        assert_eq!(stage.add(&format!("{prefix}x"), "x", "x").await.expect("it is added"), Written::Created);
    }
}

#[tokio::test]
async fn no_app_but_the_keeper_may_change_or_delete_a_backup() {
    for app in ["backup", "restore", "keeper", "person"] {
        let stage = Stage::of(app).await;
        stage.storage.set_taken(Taken::Forbidden);
        let places = ["vaults/x", "audit/x", "acknowledged/x", "holds/x"];
        for name in places {
            stage.storage.put_blob(BACKUPS, name, "kept", &[]);
            is_denied(stage.container.put(name, metadata("other")).await);
            let deleted = stage.container.delete(name).await;
            if (app, name) == ("keeper", "vaults/x") {
                deleted.expect("it may delete backups, and nothing that people decide");
                continue;
            }
            is_denied(deleted);
            let kept = stage.storage.blob(BACKUPS, name).expect("it is there");
            assert_eq!((kept.bytes.as_ref(), kept.metadata.len()), (&b"kept"[..], 0), "{app} {name}");
        }
    }
}

#[tokio::test]
async fn a_refused_add_goes_on_only_where_the_blob_is_there() {
    for taken in [Taken::Conflict, Taken::Forbidden] {
        let stage = Stage::of("backup").await;
        stage.storage.set_taken(taken);
        // The second time as after an answer that was lost.
        for (bytes, value, expected) in [
            ("one", "one", Written::Created),
            ("one", "one", Written::Created),
            ("two", "one", Written::AlreadyThere),
            ("one", "two", Written::AlreadyThere),
        ] {
            let added = stage.add("vaults/a", bytes, value).await.expect("it is answered");
            assert_eq!(added, expected, "{taken:?} {bytes} {value}");
        }
        assert_eq!(stage.storage.blob(BACKUPS, "vaults/a").expect("it is there").bytes, "one");
        is_denied(stage.add("elsewhere/a", "one", "one").await);
        stage.storage.take_rights("");
        is_denied(stage.add("vaults/a", "one", "one").await);
    }
}

#[tokio::test]
async fn a_blob_of_any_size_is_added_by_one_request() {
    let stage = Stage::of("backup").await;
    let bytes = vec![7; 9 * 1024 * 1024];
    let added = stage.container.add("vaults/large", bytes.clone(), metadata("large")).await;
    assert_eq!(added.expect("it is added"), Written::Created);
    assert!(stage.storage.blob(BACKUPS, "vaults/large").expect("it is there").bytes == bytes);
}

#[tokio::test]
async fn a_night_whose_answers_are_lost_ends_well_whatever_a_taken_name_is_answered() {
    for taken in [Taken::Conflict, Taken::Forbidden] {
        let mut world = World::with_secrets(3).await;
        world.backups.set_taken(taken);
        let (backups, count) = (Matcher::from(Operation::PutBlob).host("backups"), AtomicUsize::new(0));
        let every_other = backups.custom(move |_| count.fetch_add(1, Ordering::Relaxed) % 2 == 0);
        world.azure.faults().add(Fault::on(every_other).reply(FaultKind::ResetAfter));
        let summary = world.night(NIGHT).await;
        assert_eq!(
            (&summary["verdict"], &summary["numbers"]["backed_up"]),
            (&"Succeeded".into(), &3.into()),
            "{summary}"
        );
        assert!(world.azure.faults().fired().len() > 2, "answers were lost");
        let changes = world.azure.requests().count(|entry| {
            use Operation::{DeleteBlob, PutBlock, PutBlockList, SetBlobMetadata};
            entry.host.starts_with("backups.")
                && matches!(entry.operation, DeleteBlob | PutBlock | PutBlockList | SetBlobMetadata)
        });
        assert_eq!(changes, 0);
    }
}

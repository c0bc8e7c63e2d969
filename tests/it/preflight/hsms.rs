//! Managed HSMs.

use keyvault_backup_emulator::{
    FaultKind, Forbidden, Matcher, Operation, Service, WriteProtection, host::Firing,
};
use serde_json::{Value, json};
use time::macros::format_description;

use super::{commands, mended_by, names, only, preflight, prepare};
use crate::{hsm_world::HsmWorld, world::BACKUPS};

const LANDING: &str = "hsm-backups";
const CALLER: &str = "22222222-bbbb-4bbb-8bbb-222222222222";

/// An HSM that was backed up just now, and a backup identity that may not restore it.
async fn ready() -> HsmWorld {
    let mut of = HsmWorld::new().await;
    prepare(&mut of.world).await;
    of.hsm.set_operation_seconds(10);
    let host = of.world.host().await;
    host.fire("NightlyHsmBackup", Firing::at(of.world.today())).await;
    of.settle().await;
    of.world.today();
    of.world.fault(Operation::CheckRestore, FaultKind::Forbidden(Forbidden::ByRbac));
    of
}

fn container(of: &HsmWorld) -> String {
    format!("{}/{LANDING}", of.landing.blob_url())
}

#[tokio::test]
async fn an_hsm_that_can_be_backed_up_is_well() {
    let of = ready().await;
    let (code, report) = preflight(&of.world).await;
    assert_eq!(
        (code, &report["findings"], &report["unknown"]),
        (Some(0), &json!([]), &json!([])),
        "{report:#}"
    );
}

/// What is tried is what a backup does: the program reads under the folders, and the HSM is told of them.
#[tokio::test]
async fn an_hsm_that_is_backed_up_under_folders_is_well() {
    let mut of = ready().await;
    of.world.set("KEYVAULT_BACKUP_HSM_CONTAINER", &of.prefixed("prod/team-a"));
    let mark = of.world.azure.requests().mark();
    let (code, report) = preflight(&of.world).await;
    assert_eq!(
        (code, &report["findings"], &report["unknown"]),
        (Some(0), &json!([]), &json!([])),
        "{report:#}"
    );
    let asked = of.world.azure.requests().since(mark);
    let lists = asked.iter().filter(|of| of.operation == Operation::ListBlobs && of.object == LANDING);
    let lists: Vec<_> = lists.map(|of| of.path.contains("prefix=prod%2Fteam-a%2F")).collect();
    assert_eq!(lists, [true], "{asked:?}");
    assert!(of.hsm.operations().last().is_some_and(|of| of.container.ends_with("/prod/team-a")));
}

#[tokio::test]
async fn a_caller_without_the_local_role() {
    let of = ready().await;
    of.world.fault(Operation::CheckBackup, FaultKind::Forbidden(Forbidden::ByRbac));
    mended_by(&of.world, "hsm-role-missing", &["hsm-roles.sh --hsm hsm-a --backup", CALLER]).await;
}

#[tokio::test]
async fn an_hsm_without_an_identity() {
    let of = ready().await;
    of.hsm.attach_identity(false);
    mended_by(&of.world, "hsm-identity-missing", &["hsm-attach.sh --hsm hsm-a --identity"]).await;
}

#[tokio::test]
async fn an_identity_without_its_role_on_the_container() {
    let of = ready().await;
    of.hsm.revoke(&container(&of));
    let words = ["'Storage Blob Data Contributor'", "id-kvbackup-hsm", "containers/hsm-backups"];
    mended_by(&of.world, "hsm-storage-refused", &words).await;
}

#[tokio::test]
async fn a_landing_container_that_is_not_there() {
    let of = ready().await;
    of.landing.delete_container(LANDING);
    let (_, report) = preflight(&of.world).await;
    let of = report["findings"].as_array().expect("a list");
    // Both the program and the HSM miss it.
    assert!(of.len() == 2 && of.iter().all(|found| found["name"] == "container-missing"), "{of:?}");
}

#[tokio::test]
async fn a_landing_container_with_write_protection() {
    let of = ready().await;
    of.landing.set_write_protection(LANDING, WriteProtection { days: 7, locked: false });
    let (_, report) = preflight(&of.world).await;
    let of = report["findings"].as_array().expect("a list");
    assert!(of.len() == 2 && of.iter().all(|found| found["name"] == "landing-immutable"), "{of:?}");
}

#[tokio::test]
async fn a_landing_container_that_cannot_be_read() {
    let of = ready().await;
    let lists = Matcher::from(Operation::ListBlobs).host("landing").custom(|of| of.service == Service::Blob);
    of.world.fault(lists, FaultKind::Forbidden(Forbidden::ByRbac));
    mended_by(&of.world, "container-unreadable", &["'Storage Blob Data Reader'", "--name landing"]).await;
}

#[tokio::test]
async fn a_backup_app_that_could_wipe_an_hsm() {
    let of = ready().await;
    of.world.azure.faults().clear();
    mended_by(&of.world, "hsm-can-restore", &["az keyvault role assignment", "--hsm-name hsm-a"]).await;
}

#[tokio::test]
async fn an_app_for_restores_that_may_not_restore_an_hsm() {
    let mut of = ready().await;
    of.world.set("KEYVAULT_BACKUP_ROLE", "all");
    let (_, report) = preflight(&of.world).await;
    assert!(names(&report).contains(&"hsm-cannot-restore"), "{report:#}");
}

/// A record as `infra/scripts/hsm-roles.sh` writes it, of a right that ends so many hours from now.
fn granted(of: &HsmWorld, principal: &str, hours: i64) {
    let stamp = format_description!("[year][month][day]T[hour][minute][second]Z");
    let end = (of.world.today() + time::Duration::hours(hours)).format(stamp).expect("a time");
    let name = format!("attestations/hsm-restore/hsm-a/20261101T000000Z.{principal}.until-{end}");
    of.world.backups.put_blob(BACKUPS, &name, "", &[]);
}

#[tokio::test]
async fn a_right_to_restore_is_told_until_its_end_and_is_an_error_after_it() {
    let of = ready().await;
    granted(&of, CALLER, 4);
    let found = only(&of.world, "hsm-restore-granted").await;
    assert!(found["seen"].as_str().is_some_and(|seen| seen.starts_with(CALLER)), "{found}");
    granted(&of, "other", -1);
    let (code, report) = preflight(&of.world).await;
    assert_eq!(
        (code, names(&report)),
        (Some(1), vec!["hsm-restore-overdue", "hsm-restore-granted"]),
        "{report:#}"
    );
    let command = commands(&report["findings"][0]).next().expect("a command").to_owned();
    let script = "infra/scripts/hsm-roles.sh --hsm hsm-a --restore other --account backups";
    assert!(command.starts_with(script) && command.ends_with("--revoke-restore"), "{command}");
    for principal in ["other", CALLER] {
        let name = format!("attestations/hsm-restore/hsm-a/20261102T000000Z.{principal}.revoked");
        of.world.backups.put_blob(BACKUPS, &name, "", &[]);
    }
    assert_eq!(preflight(&of.world).await.0, Some(0), "what is revoked is over");
}

#[tokio::test]
async fn a_restore_app_may_restore_an_hsm_only_for_a_time() {
    let mut of = ready().await;
    of.world.set("KEYVAULT_BACKUP_ROLE", "restore");
    let of_hsm = |report: &Value| {
        let mut names = names(report);
        names.retain(|name| name.starts_with("hsm-"));
        names.join(" ")
    };
    of.world.fault(Operation::CheckBackup, FaultKind::Forbidden(Forbidden::ByRbac));
    assert_eq!(
        of_hsm(&preflight(&of.world).await.1),
        "hsm-cannot-restore",
        "without a right it is as it should be"
    );
    of.world.azure.faults().clear();
    assert_eq!(of_hsm(&preflight(&of.world).await.1), "hsm-restore-standing");
    granted(&of, CALLER, 4);
    assert_eq!(of_hsm(&preflight(&of.world).await.1), "hsm-restore-granted");
}

#[tokio::test]
async fn what_is_no_record_of_a_right_is_not_passed_over() {
    let of = ready().await;
    of.world.backups.put_blob(BACKUPS, "attestations/hsm-restore/hsm-a/20261101T000000Z.x.extended", "", &[]);
    let (code, report) = preflight(&of.world).await;
    let unknown = report["unknown"].as_array().expect("a list");
    assert!(code == Some(1) && unknown.len() == 1 && unknown[0]["subject"] == "hsm-a", "{report:#}");
}

#[tokio::test]
async fn one_name_for_a_vault_and_an_hsm() {
    let mut of = HsmWorld::with(&["kv-a"]).await;
    prepare(&mut of.world).await;
    let (_, report) = preflight(&of.world).await;
    assert!(names(&report).contains(&"source-twice"), "{report:#}");
}

#[tokio::test]
async fn a_single_key_that_is_not_there() {
    let mut of = ready().await;
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/gone");
    mended_by(&of.world, "key-missing", &["KEYVAULT_BACKUP_HSM_KEYS"]).await;
}

#[tokio::test]
async fn an_hsm_that_is_not_there() {
    let mut of = ready().await;
    let hsms = format!("{} https://hsm-gone.managedhsm.azure.net", of.hsm.url());
    of.world.set("KEYVAULT_BACKUP_HSMS", &hsms);
    let (code, report) = preflight(&of.world).await;
    let names = names(&report);
    assert!(code == Some(1) && names.contains(&"host-unreachable"), "{names:?}");
}

#[tokio::test]
async fn sas_tokens_are_on_their_way_out() {
    let mut of = ready().await;
    let token = "?sv=2025-01-05&se=2099-01-01&sp=crdwl&sig=c2lnbmF0dXJl";
    of.world.set("KEYVAULT_BACKUP_HSM_BACKUP_SAS", token);
    let found = only(&of.world, "sas-in-use").await;
    assert_eq!(found["subject"], "KEYVAULT_BACKUP_HSM_BACKUP_SAS");
    mended_by(&of.world, "sas-in-use", &["hsm-attach.sh"]).await;
}

//! A small world that stays up, for what calls the API over a socket: `.ci/api` and `.ci/api-clients`.

use std::{fs, io::Read as _};

use keyvault_backup_emulator::{
    CertificateSpec, FaultKind, Forbidden, KeySpec, Matcher, Operation, SecretSpec,
};
use time::macros::datetime;

use crate::world::World;

/// Names what the examples in the description name. Writes its address and a key into the file that
/// `API_STAGE` names, and stays until its standard input ends.
#[tokio::test]
#[ignore = "stays up until its standard input ends"]
#[expect(clippy::disallowed_methods, reason = "how `.ci/stage` says where to write")]
async fn api_stage() {
    let file = std::env::var_os("API_STAGE").expect("API_STAGE names a file");
    let mut world = World::with_vaults(&["kv-prod"]).await;
    for name in ["db-password", "db-user", "api-token"] {
        world.vault.put_secret(name, SecretSpec::new("value"));
    }
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.vault.put_certificate("tls", CertificateSpec::default());
    world.fault(Matcher::from(Operation::Backup).object("db-user"), FaultKind::Forbidden(Forbidden::ByRbac));
    let night = datetime!(2026-11-22 02:00 UTC);
    world.fire(night).await;
    world.settle().await;
    world.fire(night + time::Duration::DAY).await;
    let host = world.host().await;
    let address = host.listen(0).await.expect("a port");
    fs::write(&file, format!("http://{address} {}\n", host.master_key())).expect("the file is written");
    let stay = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    stay.await.expect("it was waited for").expect("it ends");
}

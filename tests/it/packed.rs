//! The package as the platform unpacks it.

use std::{fs, io::Cursor, path::Path};

use keyvault_backup_emulator::host::Host;
use keyvault_backup_package::{archive, layout};

use crate::world::{NIGHT, World};

/// Packs the program that the tests use, and unpacks it with the modes that the package has.
fn unpack(into: &Path) {
    let program = fs::read(env!("CARGO_BIN_EXE_keyvault-backup")).expect("it is built");
    let entries = layout::entries(Path::new(env!("CARGO_MANIFEST_DIR")), program, b"{}".to_vec());
    let entries = entries.expect("it can be packed");
    let package = archive::zip(&entries).expect("it can be packed");
    zip::ZipArchive::new(Cursor::new(package))
        .and_then(|mut zip| zip.extract(into))
        .expect("it can be unpacked");
}

#[tokio::test]
async fn the_host_plays_the_package_from_where_it_was_unpacked() {
    let mut world = World::with_secrets(1).await;
    let folder = tempfile::tempdir().expect("a folder");
    unpack(folder.path());
    let mut options = world.host_options();
    (options.script_root, options.handler) = (folder.path().to_owned(), None);
    world.host_is(Host::start(options).await.expect("the handler starts"));
    assert!(world.fire(NIGHT).await.succeeded());
    world.settle().await;
    assert_eq!(world.newest("kv-a").fared("secret", "secret-0"), "backed-up");
}

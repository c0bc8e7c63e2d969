//! A large index, whose manifest is written by one request all the same.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use keyvault_backup::domain::digest::{Digest, Fingerprint};
use keyvault_backup_emulator::{Fault, FaultKind, Operation, SecretSpec, Taken};
use serde_json::{Value, json};

use crate::world::{BACKUPS, Manifest, NIGHT, World};

/// Deleted objects in it.
const GONE: usize = 5000;

/// The line of a deleted object, with digests as they are: of no use to a compressor.
fn gone(like: &Value, number: usize) -> Value {
    let (name, bytes) = (format!("z-{number:05}"), number.to_be_bytes());
    let mut entry = like["entry"].clone();
    entry["name"] = json!(name);
    entry["sha256"] = json!(Digest::of(&bytes).to_string());
    for field in ["version_ids", "version_states", "fingerprint"] {
        entry[field] = json!(Fingerprint::of(&[&bytes[..], field.as_bytes()].concat()));
    }
    json!({ "kind": "secret", "name": name, "fared": "gone", "entry": entry, "gone": "2026-01-10T02:00:00Z" })
}

/// Puts as many deleted objects into the newest manifest.
fn grow(world: &World) {
    let name = world.manifests("kv-a").remove(0);
    let Manifest { header, mut lines, mut summary } = Manifest::read(world, &name);
    lines.extend((0..GONE).map(|number| gone(&lines[0], number)).collect::<Vec<_>>());
    summary["lines"] = json!(lines.len());
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let lines = lines.into_iter().map(|line| json!({ "object": line }));
    for line in
        [json!({ "manifest": header })].into_iter().chain(lines).chain([json!({ "summary": summary })])
    {
        writeln!(packed, "{line}").expect("it is packed");
    }
    let bytes = packed.finish().expect("it is packed");
    world.backups.damage_blob(BACKUPS, &name, |blob| blob.bytes = bytes.into());
}

/// The process dies between the manifest and the job's record, as far as storage can tell.
#[tokio::test]
async fn a_run_with_a_large_manifest_closes_once_whatever_a_taken_name_is_answered() {
    for (taken, status) in [(Taken::Conflict, 409), (Taken::Forbidden, 403)] {
        let mut world = World::with_secrets(2).await;
        world.backups.set_taken(taken);
        world.night(NIGHT).await;
        grow(&world);
        world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
        world.azure.faults().add(Fault::on(Operation::DeleteBlob).times(1).reply(FaultKind::Status(501)));
        let mark = world.azure.requests().mark();
        let summary = world.night(NIGHT + time::Duration::DAY).await;
        assert_eq!(json!([summary["verdict"], summary["lines"]]), json!(["Succeeded", GONE + 2]));
        assert_eq!(world.newest("kv-a").lines.len(), GONE + 2, "it is whole");
        let requests = world.azure.requests().since(mark);
        let of_manifest = requests.iter().filter(|entry| entry.object.contains("/manifests/"));
        let written = of_manifest.filter(|entry| entry.method == "PUT");
        let written: Vec<_> = written.map(|entry| (entry.operation, entry.status)).collect();
        assert_eq!(written, [(Operation::PutBlob, 201), (Operation::PutBlob, status)]);
        assert_eq!(world.azure.faults().fired().len(), 1, "it was closed a second time");
    }
}

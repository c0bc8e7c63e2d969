//! What people acknowledged and accepted, and what runs and the audit trail keep of it.

use keyvault_backup_emulator::{FaultKind, Forbidden, Kind, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::{
    acknowledged::{DAY, now},
    world::World,
};

/// Writes the samples: two failures that are accepted, one of which is withdrawn, a loss that is acknowledged, and the run
/// after that.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_acknowledged() {
    let mut world = World::with_secrets(6).await;
    for name in ["refused", "other"] {
        world.vault.put_secret(name, SecretSpec::new("a sample"));
        let backup = Matcher::from(Operation::Backup).object(name);
        world.fault(backup, FaultKind::Forbidden(Forbidden::ByPolicy));
    }
    world.night(now() - DAY * 3).await;
    for number in 0..6 {
        world.vault.remove(Kind::Secret, &format!("secret-{number}"));
    }
    let run = world.night(now() - DAY).await["run"].as_str().expect("text").to_owned();
    let (vault, until) = (world.vault.url(), (now() + DAY * 700_i32).date().to_string());
    let accept = |secret: &'static str| {
        vec!["accept", "--secret", secret, "--reason", "Schlüssel zieht um", "--until", until.as_str()]
    };
    let acknowledge = vec!["acknowledge", "--run", &run, "--reason", "moved to kv-b"];
    let withdraw = vec!["accept", "withdraw", "--secret", "other"];
    for args in [accept("refused"), accept("other"), withdraw, acknowledge] {
        let output = world.cli(&[&args[..], &["--vault", &vault]].concat()).await;
        assert!(output.status.success(), "{output:?}");
    }
    world.night(now() + DAY).await;
    write_samples(&world, &[]);
}

#[tokio::test]
async fn what_people_said_is_read_and_counts() {
    let world = World::new().await;
    thaw(&world, "v1-acknowledged");
    let vault = world.vault.url();
    let read = async |args: &[&str]| {
        let output = world.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let listed = read(&["accept", "list"]).await["acceptances"].take();
    assert_eq!((&listed[0]["name"], &listed[0]["standing"]), (&json!("other"), &json!("withdrawn")));
    assert_eq!(
        (&listed[1]["name"], &listed[1]["code"], &listed[1]["reason"]),
        (&json!("refused"), &json!("Forbidden/ForbiddenByPolicy"), &json!("Schlüssel zieht um"))
    );
    let newest = world.newest("kv-a");
    let lost = newest.header["acknowledged"][0].as_str().expect("text");
    let again = read(&["acknowledge", "--run", lost, "--reason", "again"]).await;
    assert_eq!((&again["already"], &again["reason"]), (&json!(true), &json!("moved to kv-b")));
    assert_eq!(
        (&newest.summary["numbers"]["failed"], &newest.summary["numbers"]["accepted"]),
        (&json!(2), &json!(1))
    );
    let rebuilt = read(&["rebuild"]).await;
    let runs = rebuilt["runs"].as_array().expect("a list");
    assert!(runs.len() == 3 && runs.iter().all(|run| run["manifest"] == "sound"), "{rebuilt}");
    let trail = world.cli(&["audit", "verify"]).await;
    assert!(
        trail.status.success() && String::from_utf8_lossy(&trail.stdout).contains("4 records"),
        "{trail:?}"
    );
}

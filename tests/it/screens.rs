//! What every command shows on a terminal of 80 and of 120 columns, with names of 127 letters.
//!
//! `INSTA_UPDATE=always cargo test --test it -- screens::` renews the snapshots.

use keyvault_backup_emulator::{
    Access, CertificateSpec, FaultKind, Forbidden, Keeping, KeySpec, Kind, Matcher, Operation, Rights,
    SecretSpec, Webhook,
};
use serde_json::Value;

use crate::{
    holds::PROTECT,
    hsm_world::{HsmWorld, everything},
    preflight::healthy,
    world::{BACKUPS, PERSON, World},
};

/// A name of 127 letters.
fn long(first: &str) -> String {
    format!("{first:x<127}")
}

/// What differs from day to day, as `#` for a digit and `x` for a digit of a hexadecimal number, and what stands for it.
/// Both have one length, so that the columns of a table stay.
const VARIES: [(&str, &str); 19] = [
    // a run's name
    ("########T######Z", "20260110T020000Z"),
    // the digest of a function key, and how long an HSM took
    ("key xxxxxxxx", "key 45e9e886"),
    ("took # minutes", "took 6 minutes"),
    // a moment
    ("####-##-##T##:##:##Z", "2026-01-10T02:00:00Z"),
    // a minute, in words
    ("####-##-## ##:##Z", "2026-01-10 02:00Z"),
    // a date
    ("####-##-##", "2026-01-10"),
    // the end of a restore's name
    ("-restore-xxxxxxxx", "-restore-0f3a9c41"),
    // the end of the name of a run that a person began, and of a safety backup
    ("-manual-xxxx", "-manual-5cf7"),
    ("-safety-xxxxxxxx", "-safety-b20f8eac"),
    // an HSM's folder, the size of its backup and the age of a night of the driven clock
    ("hsm-a-################", "hsm-a-2026011002010018"),
    ("### B", "953 B"),
    ("### days", "300 days"),
    // sizes: no two backups of an object have one
    ("##.## KiB", "48.00 KiB"),
    ("#.## KiB", "4.00 KiB"),
    // a whole digest, at the beginning of a line
    (
        "  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "  0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    // a short digest, in its column
    ("  xxxxxxxxxxxx", "  0123456789ab"),
    // a whole digest
    (
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    // the end of the name of a section of the trail
    ("/xxxxxxxxxxxxxxxx", "/0123456789abcdef"),
    // an HSM's operation, the version of an object
    ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "0123456789abcdef0123456789abcdef"),
];

/// Whether `text` begins as the pattern says.
fn begins(text: &str, pattern: &str) -> bool {
    let fits = |(pattern, letter): (char, char)| match pattern {
        '#' => letter.is_ascii_digit(),
        'x' => letter.is_ascii_digit() || ('a'..='f').contains(&letter),
        other => other == letter,
    };
    text.len() >= pattern.len() && pattern.chars().zip(text.chars()).all(fits)
}

/// A screen without what differs from day to day.
fn steady(screen: &str) -> String {
    let (mut steady, mut rest) = (String::new(), screen);
    while let Some(first) = rest.chars().next() {
        let letter = first.len_utf8();
        let found = VARIES.iter().find(|(pattern, _)| begins(rest, pattern));
        let stand_in = found.map_or(&rest[..letter], |(_, stand_in)| stand_in);
        steady.push_str(stand_in);
        rest = &rest[found.map_or(letter, |(pattern, _)| pattern.len())..];
    }
    steady
}

/// Whether a line must be longer than the screen: it is one word, a command to be copied, or has a name of 127 letters.
fn may_be_long(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    let is_command = ["Usage:", "az", "keyvault-backup"].contains(words.first().unwrap_or(&""));
    words.len() < 2 || is_command || words.iter().any(|word| word.len() >= 127)
}

/// Compares what a command shows at both widths. `names` are those that stand whole on a line of it.
async fn shows(world: &mut World, screen: &str, args: &[&str], names: &[&str]) {
    for columns in [80, 120] {
        world.set("COLUMNS", &columns.to_string());
        let output = world.cli(args).await;
        let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
        let wide = text.lines().find(|line| line.chars().count() > columns && !may_be_long(line));
        assert_eq!(wide, None, "{screen} at {columns}: {text}");
        for name in names {
            assert!(text.lines().any(|line| line.contains(name)), "{name} in {screen} at {columns}: {text}");
        }
        let code = output.status.code().unwrap_or(-1);
        insta::assert_snapshot!(format!("{screen}_{columns}"), steady(&text), &format!("exit code {code}"));
    }
}

/// A vault with short and long names and `more` secrets, backed up eight and a half hours ago.
async fn of_each_kind(more: &[&str]) -> World {
    let mut world = World::new().await;
    for name in more {
        world.vault.put_secret(name, SecretSpec::new("value"));
    }
    world.vault.put_secret("db-password", SecretSpec::new("value"));
    world.vault.put_secret(&long("payments-production-"), SecretSpec::new("value"));
    world.vault.put_key(&long("signing-production-"), KeySpec::ec("P-256"));
    world.vault.put_certificate("tls", CertificateSpec::default());
    let night = world.today() - time::Duration::minutes(8 * 60 + 30);
    world.night(night).await;
    world.today();
    world
}

/// The name of the newest run of `kv-a`.
fn newest(world: &World) -> String {
    world.newest("kv-a").summary["run"].as_str().expect("a run").to_owned()
}

#[tokio::test]
async fn of_a_vault_that_is_well() {
    let mut world = of_each_kind(&[]).await;
    let (secret, key) = (long("payments-production-"), long("signing-production-"));
    let run = newest(&world);
    shows(&mut world, "status_well", &["status"], &[]).await;
    shows(&mut world, "list_vaults", &["list", "vaults"], &[]).await;
    shows(&mut world, "list_runs", &["list", "runs", "--vault", "kv-a"], &[]).await;
    shows(&mut world, "list_objects", &["list", "objects", "--vault", "kv-a"], &[&secret, &key]).await;
    let history = ["list", "history", "--vault", "kv-a", "--secret", &secret];
    shows(&mut world, "list_history", &history, &[]).await;
    shows(&mut world, "show_run", &["show", &run, "--all"], &[&secret, &key]).await;
    shows(&mut world, "jobs_none", &["jobs"], &[]).await;
    shows(&mut world, "rebuild", &["rebuild", "--vault", "kv-a"], &[]).await;
    world.vault.remove(Kind::Secret, "db-password");
    world.vault.put_secret(&secret, SecretSpec::new("another"));
    shows(&mut world, "diff", &["diff", "--vault", "kv-a"], &[&secret]).await;
    shows(&mut world, "verify_well", &["verify", "--all"], &[]).await;
    let restore = ["restore", "--vault", "kv-a", "--all", "--what-if"];
    shows(&mut world, "restore_what_if", &restore, &[&secret, &key]).await;
}

#[tokio::test]
async fn of_a_vault_with_troubles() {
    let old = ["old-0", "old-1", "old-2"];
    let mut world = of_each_kind(&old).await;
    let failing = long("failing-production-");
    world.vault.put_secret(&failing, SecretSpec::new("value"));
    for gone in old.into_iter().chain(["db-password", &long("payments-production-")]) {
        world.vault.remove(Kind::Secret, gone);
    }
    world.fault(Matcher::from(Operation::Backup).object(&failing), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.cli(&["backup", "--vault", "kv-a"]).await;
    let run = newest(&world);
    shows(&mut world, "status_with_troubles", &["status"], &[]).await;
    shows(&mut world, "show_run_with_troubles", &["show", &run], &[&failing]).await;
    let objects = ["list", "objects", "--vault", "kv-a", "--failing", "--gone"];
    shows(&mut world, "list_objects_failing", &objects, &[&failing]).await;
    let acknowledge = ["acknowledge", "--vault", "kv-a", "--run", &run, "--reason", "moved in spring"];
    shows(&mut world, "acknowledge", &acknowledge, &[]).await;
    shows(&mut world, "accept_list_none", &["accept", "list"], &[]).await;
    let until = (world.today() + time::Duration::days(30)).date().to_string();
    let accept =
        ["accept", "--vault", "kv-a", "--secret", &failing, "--reason", "to be deleted", "--until", &until];
    world.cli(&accept).await;
    shows(&mut world, "accept_list", &["accept", "list"], &[&failing]).await;
    world.cli(&["restore", "--vault", "kv-a", "--secret", "db-password", "--yes"]).await;
    shows(&mut world, "jobs", &["jobs"], &[]).await;
}

#[expect(clippy::disallowed_methods, reason = "the tool cannot be told another time")]
fn real_time() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc()
}

#[tokio::test]
async fn of_a_verification_with_findings() {
    let mut world = of_each_kind(&[]).await;
    let secret = long("payments-production-");
    world.backups.keep(Keeping { versions: true, deleted_days: None });
    for (tail, fault) in [("db-password/backup", "flip"), ("tls/backup", "delete"), (&*secret, "rewrite")] {
        let blobs = world.backups.blobs(BACKUPS);
        let blob =
            blobs.iter().find(|name| name.contains(tail) && name.ends_with("backup")).expect("a backup");
        match fault {
            "flip" => assert!(world.backups.flip_bit(BACKUPS, blob)),
            "delete" => assert!(world.backups.delete_blob(BACKUPS, blob)),
            _ => world.backups.put_blob(BACKUPS, blob, "another", &[]),
        }
    }
    shows(&mut world, "verify_with_findings", &["verify", "--all", "--first-version"], &[&secret]).await;
}

#[tokio::test]
async fn of_retention_and_holds() {
    let mut world = World::new().await;
    let secret = long("payments-production-");
    world.backups.keep(Keeping { versions: true, deleted_days: None });
    world.backups.give(PERSON, Rights::of("keeper", "backups").with(PROTECT).with("blobs/add/action"));
    world.set("KEYVAULT_BACKUP_INTERVAL_HOURS", "300");
    world.set("KEYVAULT_BACKUP_RETENTION", "within=30 months=0");
    let today = real_time();
    for days in (0..8).rev() {
        for name in ["db-password", "tls-password", &secret] {
            world.vault.put_secret(name, SecretSpec::new(format!("value of {days}")));
        }
        world.night(today - time::Duration::hours(192 * days + 8)).await;
    }
    world.today();
    let vault = ["--vault", "kv-a"];
    shows(&mut world, "retention_plan", &[&["retention", "plan", "--strays"], &vault[..]].concat(), &[])
        .await;
    let forget = [&["retention", "forget"], &vault[..], &["--secret", "db-password"]].concat();
    shows(&mut world, "retention_forget_plan", &forget, &[]).await;
    let held = [&["hold", "set"], &vault[..], &["--secret", &secret]].concat();
    let why = ["--ticket", "INC-4711", "--reason", "an inquiry that takes until the end of the year"];
    shows(&mut world, "hold_set", &[&held[..], &why].concat(), &[&secret]).await;
    shows(&mut world, "hold_list", &["hold", "list"], &[&secret]).await;
    shows(&mut world, "retention_plan_under_a_hold", &[&["retention", "plan"], &vault[..]].concat(), &[])
        .await;
    let of_ticket = [&vault[..], &why[..2]].concat();
    world.cli(&[&["hold", "release"], &of_ticket[..], &why[2..]].concat()).await;
    shows(&mut world, "hold_lift", &[&["hold", "lift"], &of_ticket[..]].concat(), &[]).await;
    shows(&mut world, "hold_list_none", &["hold", "list"], &[]).await;
}

#[tokio::test]
async fn of_a_restore() {
    let mut world = of_each_kind(&[]).await;
    let secret = long("payments-production-");
    world.vault.remove(Kind::Secret, &secret);
    let done = world.cli(&["restore", "--vault", "kv-a", "--all", "--yes", "-o", "json"]).await;
    let done: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let id = done["id"].as_str().expect("a name");
    shows(&mut world, "show_restore", &["show", id, "--all"], &[&secret]).await;
    shows(&mut world, "audit_list", &["audit", "list"], &[]).await;
    shows(&mut world, "audit_verify", &["audit", "verify"], &[]).await;
    crate::formats::thaw(&world, "v1-evidence");
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = ["evidence", "--from", "2026-01-09", "--to", "2026-01-10", "--output"];
    let into = folder.path().to_str().expect("text");
    shows(&mut world, "evidence", &[&evidence[..], &[into]].concat(), &[]).await;
}

#[tokio::test]
async fn of_open_jobs() {
    let mut world = of_each_kind(&[]).await;
    let secret = long("payments-production-");
    let night = world.today() + time::Duration::HOUR;
    world.vault.put_secret(&secret, SecretSpec::new("another"));
    world.fire(night).await;
    let [vault, jobs] = [&["--vault", "kv-a"][..], &["jobs"]];
    shows(&mut world, "jobs_open", jobs, &[]).await;
    let run = world.open_records()[0].clone();
    let run =
        run.rsplit(['/', '_']).next().and_then(|name| name.split('.').next()).expect("a name").to_owned();
    shows(&mut world, "show_open_run", &[&["show", &run], vault].concat(), &[]).await;
    world.vault.remove(Kind::Secret, &secret);
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByPolicy));
    let failed = world.cli(&["restore", "--vault", "kv-a", "--secret", &secret, "--yes", "-o", "json"]).await;
    let failed: Value = serde_json::from_slice(&failed.stdout).expect("JSON");
    let id = failed["id"].as_str().expect("a name");
    shows(&mut world, "show_failed_restore", &["show", id], &[&secret]).await;
}

#[tokio::test]
async fn of_an_hsm() {
    let mut of = HsmWorld::backed_up().await;
    let run = of.records("hsm-a")[0]["run"].as_str().expect("a run").to_owned();
    shows(&mut of.world, "show_hsm_backup", &["show", &run, "--hsm", "hsm-a"], &[]).await;
    of.wreck();
    let (_, report) = of.restored(everything()).await;
    let id = report["id"].as_str().expect("a name");
    shows(&mut of.world, "show_hsm_restore", &["show", id], &[]).await;
    shows(&mut of.world, "hsm_status", &["hsm", "status"], &[]).await;
}

#[tokio::test]
async fn of_a_preflight() {
    let mut world = healthy().await;
    shows(&mut world, "preflight_well", &["preflight"], &[]).await;
    let mut vaults = vec![world.vault.url()];
    for name in ["kv-b", "kv-c"] {
        let vault = world.azure.vault(name);
        vault.configure(|options| options.access = Some(Access::only(Forbidden::ByRbac, &["list"])));
        vaults.push(vault.url());
    }
    world.set("KEYVAULT_BACKUP_VAULTS", &vaults.join(" "));
    shows(&mut world, "preflight_with_findings", &["preflight"], &[]).await;
}

#[tokio::test]
async fn of_help() {
    let mut world = World::new().await;
    for command in [
        "",
        "backup",
        "status",
        "list",
        "list vaults",
        "list runs",
        "list objects",
        "list history",
        "show",
        "diff",
        "restore",
        "hsm",
        "hsm backup",
        "hsm restore",
        "hsm restore-key",
        "hsm status",
        "hsm check",
        "jobs",
        "jobs abandon",
        "preflight",
        "notify",
        "notify test",
        "acknowledge",
        "accept",
        "accept list",
        "accept withdraw",
        "audit",
        "audit verify",
        "audit list",
        "evidence",
        "metrics",
        "retention",
        "retention plan",
        "retention apply",
        "retention release",
        "retention forget",
        "hold",
        "hold set",
        "hold list",
        "hold release",
        "hold lift",
        "rebuild",
        "verify",
        "completion",
        "serve",
    ] {
        let args: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let screen = format!("help_{}", command.replace([' ', '-'], "_"));
        shows(&mut world, screen.trim_end_matches('_'), &args, &[]).await;
    }
}

#[tokio::test]
async fn what_came_back_from_the_targets_of_notices() {
    let mut world = World::new().await;
    let (taking, refusing) =
        (Webhook::start().await.expect("a port"), Webhook::start().await.expect("a port"));
    refusing.answers(403, "invalid_token");
    world.set("KEYVAULT_BACKUP_NOTIFY", &format!("{} slack+{}", taking.url("x"), refusing.url("x")));
    shows(&mut world, "notify_test", &["notify", "test"], &["invalid_token"]).await;
}

#[test]
fn what_differs_from_day_to_day_is_replaced_and_keeps_its_length() {
    for (screen, expected) in [
        ("20991231T235959Z-nightly of kv-a", "20260110T020000Z-nightly of kv-a"),
        ("│ 2099-12-31T23:59:59Z │", "│ 2026-01-10T02:00:00Z │"),
        ("until 2099-12-31, 12 objects", "until 2026-01-10, 12 objects"),
        ("20991231T235959Z-restore-deadbeef", "20260110T020000Z-restore-0f3a9c41"),
        ("a name with 12 digits", "a name with 12 digits"),
    ] {
        assert_eq!(steady(screen), expected);
        assert_eq!(expected.chars().count(), screen.chars().count());
    }
}

//! What every command prints with `-o json`, held against docs/terminal.schema.json.

use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use keyvault_backup_emulator::{
    Access, FaultKind, Forbidden, Keeping, KeySpec, Kind, Matcher, Operation, Rights, SecretSpec, Webhook,
};
use serde_json::{Map, Value, json};

use crate::{
    drills::Drilling,
    hsm_copies::Copying,
    hsm_world::{HsmWorld, everything},
    world::{BACKUPS, NIGHT, PERSON, World},
};

const PLACE: &str = "https://example.com/terminal.schema.json";

/// The schema, in which an object may have no field that it does not describe.
struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
    commands: BTreeSet<String>,
}

/// The shapes that others take in, with fields of their own beside.
fn taken_in(value: &Value, found: &mut BTreeSet<String>) {
    let members = value.as_object().into_iter().flat_map(Map::iter);
    for (name, inner) in members {
        if name == "allOf" {
            let references = inner.as_array().into_iter().flatten().filter_map(|of| of["$ref"].as_str());
            found.extend(references.filter_map(|of| of.rsplit('/').next()).map(str::to_owned));
        }
        taken_in(inner, found);
    }
    value.as_array().into_iter().flatten().for_each(|inner| taken_in(inner, found));
}

impl Schema {
    fn new() -> Self {
        let text = include_str!("../../docs/terminal.schema.json");
        let mut schema: Value = serde_json::from_str(text).expect("it is JSON");
        let mut open = BTreeSet::new();
        taken_in(&schema, &mut open);
        for (name, shape) in schema["$defs"].as_object_mut().expect("shapes") {
            let is_object = shape["type"] == "object" || shape.get("allOf").is_some();
            if is_object && !open.contains(name) && shape.get("additionalProperties").is_none() {
                shape["unevaluatedProperties"] = json!(false);
            }
        }
        let commands = schema["properties"].as_object().expect("commands").keys().cloned().collect();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(PLACE, schema).expect("it is a schema");
        let index = compiler.compile(PLACE, &mut schemas).expect("it can be used");
        Self { schemas, index, commands }
    }

    /// Why this is not what a command prints.
    fn refuses(&self, command: &str, printed: &Value) -> Option<String> {
        let instance = json!({ command: printed });
        self.schemas.validate(&instance, self.index).err().map(|error| error.to_string())
    }
}

/// Runs commands, and holds what they print against the schema.
struct Checked {
    schema: Schema,
    seen: BTreeSet<String>,
    refused: Vec<String>,
}

impl Checked {
    fn new() -> Self {
        Self { schema: Schema::new(), seen: BTreeSet::new(), refused: Vec::new() }
    }

    /// Runs one as the schema's `command`. Returns what it prints.
    async fn run(&mut self, world: &World, command: &str, args: &[&str]) -> Value {
        assert!(self.schema.commands.contains(command), "{command} is not in the schema");
        let words: Vec<_> = command.split(' ').filter(|word| !word.starts_with("--")).collect();
        let output = world.cli(&[&words, args, &["-o", "json"]].concat()).await;
        let printed = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if let Some(refused) = self.schema.refuses(command, &printed) {
            self.refused.push(format!("{command} {args:?}: {refused}: {printed}{output:?}"));
        }
        self.seen.insert(command.to_owned());
        printed
    }

    /// As [`Checked::run`], for a command that fails: it prints nothing but an error.
    async fn fails(&mut self, world: &World, args: &[&str]) {
        let output = world.cli(&[args, &["-o", "json"]].concat()).await;
        assert!(output.stdout.is_empty(), "{output:?}");
        let printed = serde_json::from_slice(&output.stderr).expect("it is JSON");
        assert_eq!(self.schema.refuses("error", &printed), None, "{args:?}: {printed}");
        self.seen.insert("error".to_owned());
    }

    fn left(&self) -> Vec<&String> {
        self.schema.commands.difference(&self.seen).collect()
    }
}

#[test]
fn what_no_shape_has_is_refused() {
    let schema = Schema::new();
    let vault = json!({ "source": "kv-a", "url": "https://kv-a.vault.azure.net" });
    assert_eq!(schema.refuses("list vaults", &json!({ "vaults": [vault] })), None);
    for vault in [
        json!({ "source": "kv-a" }),
        json!({ "source": 1, "url": "" }),
        json!({ "source": "kv-a", "url": "", "other": 1 }),
        json!({ "source": "kv-a", "url": "", "newestSuccess": { "other": 1 } }),
    ] {
        assert!(schema.refuses("list vaults", &json!({ "vaults": [vault] })).is_some(), "{vault}");
    }
}

async fn of_vaults(checked: &mut Checked) {
    let mut world = World::with_secrets(8).await;
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.night(NIGHT).await;
    world.today();
    let failing = Matcher::from(Operation::Backup).object("secret-0");
    world.fault(failing, FaultKind::Forbidden(Forbidden::ByPolicy));
    world.vault.put_secret("secret-0", SecretSpec::new("another"));
    for gone in ["secret-1", "secret-2", "secret-3", "secret-4", "secret-5"] {
        assert!(world.vault.remove(Kind::Secret, gone));
    }
    let vault = ["--vault", "kv-a"];
    let with = |args: &[&'static str]| [&vault[..], args].concat();
    checked.run(&world, "backup --what-if", &with(&["--what-if"])).await;
    let run = checked.run(&world, "backup", &vault).await;
    let run = run["run"].as_str().expect("a run").to_owned();
    checked.run(&world, "show", &[&run, "--all"]).await;
    for command in ["status", "list vaults", "jobs", "preflight"] {
        checked.run(&world, command, &[]).await;
    }
    let hook = Webhook::start().await.expect("a port");
    world.set("KEYVAULT_BACKUP_NOTIFY", &hook.url("path"));
    checked.run(&world, "notify test", &[]).await;
    checked.run(&world, "list runs", &vault).await;
    checked.run(&world, "list objects", &vault).await;
    checked.run(&world, "list history", &with(&["--secret", "secret-1"])).await;
    checked.run(&world, "diff", &with(&["--all"])).await;
    checked.run(&world, "rebuild", &vault).await;
    checked.run(&world, "acknowledge", &[&vault[..], &["--run", &run, "--reason", "moved"]].concat()).await;
    let until = (world.today() + time::Duration::days(30)).date().to_string();
    let accept = ["--secret", "secret-0", "--reason", "to be deleted", "--until", &until];
    checked.run(&world, "accept", &[&vault[..], &accept].concat()).await;
    world.set("KEYVAULT_BACKUP_RETENTION", "within=35");
    checked.run(&world, "retention plan", &[]).await;
    let because = ["--reason", "closed"];
    checked.run(&world, "retention apply", &with(&["--really", because[0], because[1]])).await;
    checked.run(&world, "retention apply", &vault).await;
    let withdraw = ["--withdraw", because[0], because[1]];
    checked.run(&world, "retention release", &with(&withdraw)).await;
    let forget = with(&["--secret", "secret-0"]);
    checked.run(&world, "retention forget", &forget).await;
    checked.run(&world, "retention forget", &[&forget[..], &["--really"], &because[..]].concat()).await;
    let ticket = ["--ticket", "INC-1", because[0], because[1]];
    checked.run(&world, "hold", &[&["set"], &vault[..], &ticket].concat()).await;
    checked.run(&world, "hold", &["list"]).await;
    checked.run(&world, "hold", &[&["release"], &vault[..], &ticket].concat()).await;
    checked.run(&world, "hold", &[&["lift"], &vault[..], &["--ticket", "INC-1"]].concat()).await;
    checked.run(&world, "accept", &["list"]).await;
    checked.run(&world, "accept", &[&["withdraw"], &vault[..], &accept[..2]].concat()).await;
    for audit in ["list", "verify"] {
        checked.run(&world, "audit", &[audit]).await;
    }
    crate::formats::thaw(&world, "v1-evidence");
    let folder = tempfile::tempdir().expect("a folder");
    let days = ["--from", "2026-01-10", "--to", "2026-01-11"];
    let into = ["--output", folder.path().to_str().expect("text")];
    checked.run(&world, "evidence", &[&days[..], &into].concat()).await;
    checked.fails(&world, &["show", "nosuchrun"]).await;
    checked.fails(&world, &["show", "20260101T020000Z-nightly"]).await;
    of_restores(checked, &world).await;
}

/// Of backups of which one was written again in storage and one damaged.
async fn of_verifications(checked: &mut Checked, world: &World) {
    world.backups.keep(Keeping { versions: true, deleted_days: None });
    let mut backups = world.backups.blobs(BACKUPS);
    backups.retain(|name| name.ends_with("/backup"));
    world.backups.put_blob(BACKUPS, &backups[0], "another", &[]);
    assert!(world.backups.flip_bit(BACKUPS, &backups[1]));
    let found = checked.run(world, "verify", &["--all", "--first-version"]).await;
    let findings = found["sources"][0]["findings"].as_array().map(Vec::len);
    assert_eq!(findings, Some(2), "{found}");
}

async fn of_restores(checked: &mut Checked, world: &World) {
    world.azure.vault("kv-b");
    let with = |args: &[&'static str]| [&["--vault", "kv-a"][..], args].concat();
    checked.run(world, "restore --what-if", &with(&["--all", "--gone", "--what-if"])).await;
    let restored = checked.run(world, "restore", &with(&["--all", "--gone", "--yes"])).await;
    let id = restored["id"].as_str().expect("a restore");
    checked.run(world, "show", &[id]).await;
    checked.run(world, "jobs", &[]).await;
    checked.run(world, "jobs abandon", &[id]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("blob").display().to_string();
    let to = ["--vault", "kv-a", "--key", "signing", "--file", &file];
    checked.run(world, "backup --file", &[&to[..], &["--what-if"]].concat()).await;
    checked.run(world, "backup --file", &to).await;
    let from = ["--vault", "kv-b", "--file", &file];
    checked.run(world, "restore --file", &[&from[..], &["--what-if"]].concat()).await;
    let done = checked.run(world, "restore --file", &[&from[..], &["--yes"]].concat()).await;
    assert_eq!((&done["restored"], &done["form"]), (&json!(true), &json!("known")));
    checked.run(world, "verify --file", &["--file", &file]).await;
}

async fn of_hsms(checked: &mut Checked) {
    let mut of = HsmWorld::backed_up().await;
    let run = of.records("hsm-a")[0]["run"].as_str().expect("a run").to_owned();
    of.wreck();
    let (_, report) = of.restored(everything()).await;
    let id = report["id"].as_str().expect("a name");
    of.world.today();
    let (world, hsm) = (&of.world, ["--hsm", "hsm-a"]);
    checked.run(world, "show", &[&[&*run], &hsm[..]].concat()).await;
    checked.run(world, "show", &[id]).await;
    checked.run(world, "status", &[]).await;
    checked.run(world, "hsm status", &hsm).await;
    checked.run(world, "hsm check", &hsm).await;
    checked.run(world, "hsm restore", &[&hsm[..], &["--what-if"]].concat()).await;
    checked.run(world, "hsm backup", &hsm).await;
    checked.run(world, "hsm status", &[]).await;
    of_copies(checked).await;
}

async fn of_copies(checked: &mut Checked) {
    let copying = Copying::new().await;
    assert!(copying.pass().await.succeeded());
    copying.of.world.today();
    copying.of.landing.give(PERSON, Rights::of("person", "landing").with("blobs/add/action"));
    let (world, hsm) = (&copying.of.world, ["--hsm", "hsm-a"]);
    checked.run(world, "hsm copy-back", &hsm).await;
    checked.run(world, "hsm attest", &[&hsm[..], &["--quorum", "2/3", "--by", "Ada"]].concat()).await;
    checked.run(world, "hsm status", &hsm).await;
    let run = copying.of.records("hsm-a")[0]["run"].as_str().expect("a run").to_owned();
    let restored = ["--run", &run, "--restored", "--what-if"];
    checked.run(world, "hsm restore", &[&hsm[..], &restored].concat()).await;
    checked.run(world, "audit", &["list"]).await;
}

async fn of_drills(checked: &mut Checked) {
    let drilling = Drilling::new().await;
    drilling.drill.give(PERSON, Access::of("keeper", "drill"));
    drilling.world.today();
    let run = checked.run(&drilling.world, "drill run", &["--vault", "kv-a"]).await;
    checked.run(&drilling.world, "drill list", &[]).await;
    checked.run(&drilling.world, "drill show", &[run["id"].as_str().expect("a name")]).await;
}

#[tokio::test]
async fn every_command_prints_what_the_schema_says_and_nothing_else() {
    let mut checked = Checked::new();
    of_vaults(&mut checked).await;
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.today();
    of_verifications(&mut checked, &world).await;
    of_hsms(&mut checked).await;
    of_drills(&mut checked).await;
    assert!(checked.refused.is_empty(), "{}", checked.refused.join("\n"));
    assert_eq!(checked.left(), Vec::<&String>::new(), "commands without a check");
}

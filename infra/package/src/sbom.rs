//! What a program is made of, as `CycloneDX` 1.6: every crate that is in it, and every one that ran to build it.
//!
//! It is read from what cargo resolves for the target, and from the digests in `Cargo.lock`. It has no time and no serial number, so that
//! one commit has one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::{Map, Value, json};

use crate::{Result, build::cargo, program::PROGRAM, read, target::Target};

/// Its name in an archive.
pub const NAME: &str = "sbom.cdx.json";

/// The list for a target.
///
/// # Errors
/// When cargo cannot say it, as without the crates.
pub fn of(root: &Path, target: Target) -> Result<Vec<u8>> {
    let target_name = target.name();
    let metadata = said(cargo().current_dir(root).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        target_name,
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    // Of features too: what only a test turns on is not in the program.
    let tree = |edges: &str| -> Result<BTreeSet<(String, String)>> {
        let tree = said(cargo().current_dir(root).args([
            "tree",
            "--locked",
            "--package",
            PROGRAM,
            "--target",
            target_name,
            "--edges",
            edges,
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?;
        Ok(tree.lines().filter_map(named).collect())
    };
    let compiler = said(Command::new("rustc").current_dir(root).arg("--version"))?;
    let lock = String::from_utf8(read(&root.join("Cargo.lock"))?).map_err(|error| error.to_string())?;
    let parts = Parts {
        inside: tree("normal,no-proc-macro")?,
        all: tree("normal,build")?,
        digests: digests(&lock),
        compiler: compiler.split(' ').nth(1).unwrap_or_default().to_owned(),
    };
    let mut text =
        serde_json::to_vec_pretty(&list(&metadata, &parts, target)?).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(text)
}

/// What a command prints.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// Name and version in a line of `cargo tree`: `serde v1.0.0 (proc-macro)`.
fn named(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
}

/// The SHA-256 of each package of a registry, by name and version.
fn digests(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|of| Some(((value(of, "name")?, value(of, "version")?), value(of, "checksum")?)))
        .collect()
}

struct Parts {
    inside: BTreeSet<(String, String)>,
    all: BTreeSet<(String, String)>,
    digests: BTreeMap<(String, String), String>,
    compiler: String,
}

fn list(metadata: &Value, parts: &Parts, target: Target) -> Result<Value> {
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().ok_or("cargo names no packages")?;
    let key = |package: &Value| (text(package, "name"), text(package, "version"));
    let ours: BTreeMap<String, &Value> = packages
        .iter()
        .filter(|package| parts.all.contains(&key(package)))
        .map(|package| (text(package, "id"), package))
        .collect();
    let program =
        ours.values().find(|package| package["name"] == PROGRAM).ok_or("the program is no package")?;
    let (program, others): (Vec<_>, Vec<_>) = ours.values().partition(|of| of["id"] == program["id"]);
    let mut components: Vec<Value> = others.into_iter().map(|of| component(of, parts)).collect();
    components.push(json!({
        "type": "library", "bom-ref": standard(parts), "name": "rust-std", "version": parts.compiler,
        "description": "The standard library of Rust, as the compiler links it.", "scope": "required",
    }));
    components.sort_by_key(|of| text(of, "bom-ref"));

    let nodes = metadata["resolve"]["nodes"].as_array().ok_or("cargo resolves nothing")?;
    let mut dependencies: Vec<Value> = Vec::new();
    for node in nodes {
        let Some(package) = ours.get(&text(node, "id")) else { continue };
        let of_build = |edge: &Value| {
            edge["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|of| of["kind"] != "dev"))
        };
        let edges = node["deps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut on: Vec<String> = edges
            .iter()
            .filter(|edge| of_build(edge))
            .filter_map(|edge| Some(reference(ours.get(edge["pkg"].as_str()?)?)))
            .collect();
        if package["name"] == PROGRAM {
            on.push(standard(parts));
        }
        on.sort();
        on.dedup();
        dependencies.push(json!({ "ref": reference(package), "dependsOn": on }));
    }
    dependencies.sort_by_key(|of| text(of, "ref"));

    let mut program = component(program.first().ok_or("the program is no package")?, parts);
    program["type"] = json!("application");
    if let Some(program) = program.as_object_mut() {
        program.remove("scope");
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "component": program,
            "properties": [{ "name": "cargo:target", "value": target.name() }],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn reference(package: &Value) -> String {
    format!(
        "pkg:cargo/{}@{}",
        package["name"].as_str().unwrap_or_default(),
        package["version"].as_str().unwrap_or_default()
    )
}

fn standard(parts: &Parts) -> String {
    format!("rust-std@{}", parts.compiler)
}

fn component(package: &Value, parts: &Parts) -> Value {
    let key = (
        package["name"].as_str().unwrap_or_default().to_owned(),
        package["version"].as_str().unwrap_or_default().to_owned(),
    );
    // Macros and what builds something ran while the program was built, and are not in it.
    let scope = if parts.inside.contains(&key) { "required" } else { "excluded" };
    let mut component = Map::new();
    component.insert("type".to_owned(), json!("library"));
    component.insert("bom-ref".to_owned(), json!(reference(package)));
    component.insert("name".to_owned(), json!(key.0));
    component.insert("version".to_owned(), json!(key.1));
    component.insert("scope".to_owned(), json!(scope));
    component.insert("purl".to_owned(), json!(reference(package)));
    if let Some(digest) = parts.digests.get(&key) {
        component.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": digest }]));
    }
    if let Some(license) = package["license"].as_str() {
        // An older way to write `OR`.
        component.insert("licenses".to_owned(), json!([{ "expression": license.replace('/', " OR ") }]));
    }
    if let Some(repository) = package["repository"].as_str() {
        component.insert("externalReferences".to_owned(), json!([{ "type": "vcs", "url": repository }]));
    }
    Value::Object(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_program_is_told_from_what_only_built_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = Target::of_functions();
        let text = of(&root, target).unwrap();
        assert!(text == of(&root, target).unwrap(), "the same twice");
        let list: Value = serde_json::from_slice(&text).unwrap();
        let components = list["components"].as_array().unwrap();
        let scope =
            |name: &str| components.iter().find(|of| of["name"] == name).map(|of| of["scope"].clone());
        assert_eq!(scope("tokio"), Some(json!("required")));
        assert_eq!(scope("rust-std"), Some(json!("required")));
        assert_eq!(scope("serde_derive"), Some(json!("excluded")));
        assert_eq!(scope("cc"), Some(json!("excluded")));
        // Only tests use it.
        assert_eq!(scope("proptest"), None);
        assert_eq!(scope(PROGRAM), None);
        let tokio = components.iter().find(|of| of["name"] == "tokio").unwrap();
        assert_eq!(tokio["hashes"][0]["content"].as_str().map(str::len), Some(64));
        let refs: BTreeSet<_> = components.iter().map(|of| &of["bom-ref"]).map(Value::to_string).collect();
        let own = &list["metadata"]["component"]["bom-ref"];
        assert_eq!(refs.len(), components.len(), "each is named once");
        for dependency in list["dependencies"].as_array().unwrap() {
            for on in dependency["dependsOn"].as_array().unwrap() {
                assert!(refs.contains(&on.to_string()) && *on != *own, "{on} is no component");
            }
        }
    }
}

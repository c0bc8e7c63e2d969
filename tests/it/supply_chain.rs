//! What the program is made of, as docs/supply-chain.md and the files of a release say it.

use std::{collections::BTreeSet, fs, path::Path};

use keyvault_backup_package::target::TARGETS;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("it is there")
}

/// The names in the table `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest = text(manifest);
    let table = manifest.split("\n[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next());
    let lines = table.expect("it has dependencies").lines();
    lines.filter_map(|line| Some(line.split_once([' ', '.', '='])?.0.to_owned())).collect()
}

/// The words in backticks of these lines.
fn named<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_direct_dependency_and_no_other() {
    let page = text("docs/supply-chain.md");
    let section = page.split("\n## Direct dependencies\n").nth(1).expect("the page has a table");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let cells: Vec<_> = cells.map(|cell| format!("`{cell}")).collect();
    assert_eq!(named(cells.iter().map(String::as_str)), dependencies("Cargo.toml"));

    let packing = section.split("What packs a release").nth(1).and_then(|rest| rest.split("\n\n").next());
    let mut packing = named(packing.expect("the page says what packs").lines());
    assert!(packing.remove("infra/package"));
    assert_eq!(packing, dependencies("infra/package/Cargo.toml"));
}

#[test]
fn every_platform_of_a_release_is_built_checked_and_named() {
    for target in TARGETS {
        for file in [".github/workflows/release.yml", "deny.toml", "docs/install.md"] {
            assert!(text(file).contains(target), "{file} does not name {target}");
        }
    }
    let built = text(".github/workflows/release.yml").matches("{ target: ").count();
    assert_eq!(built, TARGETS.len());
}

#[test]
fn what_binstall_downloads_is_what_a_release_has() {
    let manifest = text("Cargo.toml");
    let line = |key: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        line.expect("it is set").trim_matches('"').to_owned()
    };
    let fill = |pattern: String| {
        let known = [
            ("{ name }", "keyvault-backup"),
            ("{ bin }", "keyvault-backup"),
            ("{ target }", "TARGET"),
            ("{ archive-suffix }", ".tar.gz"),
            ("{ binary-ext }", ""),
        ];
        known.iter().fold(pattern, |pattern, (name, value)| pattern.replace(name, value))
    };
    assert_eq!(
        fill(line("pkg-url")),
        "{ repo }/releases/download/v{ version }/keyvault-backup-TARGET.tar.gz"
    );
    assert_eq!(fill(line("bin-dir")), "keyvault-backup-TARGET/keyvault-backup");
}

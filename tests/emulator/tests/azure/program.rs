//! `cargo emulator`, as a person meets it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// The program, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_emulator"))
}

/// What it prints before it waits.
fn printed() -> (Running, String) {
    let mut child =
        command().args(["--port", "0", "--identity-port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut text = String::new();
    for line in lines {
        text.push_str(&line);
        text.push('\n');
        if line.starts_with("# To see the challenge:") {
            break;
        }
    }
    (Running(child), text)
}

#[test]
fn it_prints_what_the_commands_of_the_readme_need() {
    let (_running, printed) = printed();
    let readme = include_str!("../../../../README.md");
    let exports = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("export "));
        lines.map(|line| line.replace('\'', "")).collect()
    };
    let (ours, theirs) = (exports(&printed), exports(readme));
    assert!(theirs.len() >= 2, "the README exports what it needs");
    for export in theirs.iter().filter(|export| export.starts_with("KEYVAULT_")) {
        assert!(ours.contains(export), "{export} of the README is not among {ours:#?}");
    }
    let names: Vec<_> = ours.iter().filter_map(|export| export.split('=').next()).collect();
    for needed in ["KEYVAULT_BACKUP_VAULTS", "KEYVAULT_BACKUP_QUEUE__queueServiceUri", "KEYVAULT_BACKUP_HSMS"]
    {
        assert!(names.contains(&needed), "{needed} is not among {names:?}");
    }
    for name in ["--vault kv-prod", "db-password"] {
        assert!(readme.contains(name), "{name}");
    }
    assert!(printed.contains("https://kv-prod.vault.azure.net"));
}

#[test]
fn a_taken_port_is_said_in_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (options, what) in [
        (["--port", &port, "--identity-port", "0"], "the proxy"),
        (["--port", "0", "--identity-port", &port], "the identity endpoint"),
    ] {
        let output = command().args(options).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!("{what} cannot listen on port {port} of 127.0.0.1: another program has it. ");
        assert!(!output.status.success() && said.starts_with(&expected), "{said}");
    }
}

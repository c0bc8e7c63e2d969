//! Whole recorded sessions, each on one vault: what came before decides what comes after, and what the
//! service needed time for takes time here.

use std::collections::BTreeMap;

use keyvault_backup::domain::object::ObjectKind;
use keyvault_backup_emulator::{Azure, Delays, Operation, VaultHandle};
use keyvault_backup_needs::needs;

use super::Step;
use crate::{conformance::repeat, recorded::Exchange, wire::Wire};

/// A session on its way through a vault of its own.
struct Session {
    azure: Azure,
    wire: Wire,
    vault: VaultHandle,
    /// The answer to the last backup of each kind: what a restore of that kind sends.
    backups: BTreeMap<ObjectKind, String>,
    /// The version that was backed up.
    version: Option<String>,
}

impl Session {
    /// Repeats an exchange and gives the status of the answer, or `None` for one that needs no answer.
    async fn step(&mut self, exchange: &Exchange) -> Option<u16> {
        let (name, kind) = (exchange.name(), Step::kind_of(exchange));
        if !is_early(exchange) {
            self.azure.clock().advance(Delays::longest().purge);
        }
        let restore = exchange.is_restore() && exchange.status != 400;
        let request = if restore { self.backups.get(&kind?)?.clone() } else { exchange.request.clone() };
        let asked = Exchange { request, ..exchange.clone() };
        let answer = repeat(&self.azure, &self.wire, &self.vault, &asked, exchange.url.path()).await;
        if exchange.is_backup() && answer.status == 200 {
            let kind = Step::kind_of(exchange)?;
            self.version = self.vault.versions(Step::emulated(kind), name).pop();
            self.backups.insert(kind, answer.body.clone());
        }
        if restore && answer.status == 200 {
            let id = answer.json().and_then(|json| {
                json["id"].as_str().or(json["key"]["kid"].as_str())?.rsplit('/').next().map(str::to_owned)
            });
            assert_eq!(id, self.version, "a restored version keeps its identifier");
        }
        Some(answer.status)
    }
}

/// Whether the service was not done yet with what was asked of it before.
fn is_early(exchange: &Exchange) -> bool {
    let shows_deleted = Step::of(exchange).is_some_and(|step| step.operation == Operation::GetDeleted);
    exchange.status == 409 || (exchange.status == 404 && shows_deleted)
}

/// Whether it is a session of a vault with soft delete in which something was restored. The file of single
/// exchanges is no session.
fn is_life(recorded: &[Exchange]) -> bool {
    let soft = |exchange: &Exchange| exchange.service().is_none_or(|version| version >= [1, 2, 0]);
    let single = recorded[0].file.extension().is_some_and(|extension| extension == "jsonl");
    !single && recorded.iter().all(soft) && recorded.iter().any(Exchange::is_restore)
}

#[needs(recordings)]
#[tokio::test]
async fn whole_sessions_go_as_they_were_recorded() {
    let all = Exchange::of_vaults();
    let azure = Azure::start().await.expect("the emulator starts");
    azure.knobs().set_delays(Delays::longest());
    let (mut sessions, mut steps, mut early) = (0, 0, 0);
    for recorded in all.chunk_by(|a, b| a.file == b.file) {
        if !is_life(recorded) {
            continue;
        }
        let vault = azure.vault(&format!("session-{sessions}"));
        let (wire, azure) = (Wire::new(&azure, []), azure.clone());
        let mut session = Session { azure, wire, vault, backups: BTreeMap::new(), version: None };
        for exchange in recorded.iter().filter(|exchange| exchange.status != 401) {
            let Some(status) = session.step(exchange).await else { continue };
            let asked = (&exchange.method, exchange.url.path(), exchange.file.display());
            assert_eq!(status, exchange.status, "{asked:?}");
            steps += 1;
            early += usize::from(is_early(exchange));
        }
        sessions += 1;
    }
    eprintln!("replayed: {sessions} sessions of {steps} steps, {early} of them too early for the service");
    assert!(sessions > 20 && early > 20, "{sessions} sessions, {early} early steps");
}

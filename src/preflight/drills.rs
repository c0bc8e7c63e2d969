//! Trying drill vaults, in the app that drills.

use super::{Context, absent_name, each, findings::drills::DrillVaultSeen, known, tried, within};
use crate::{
    azure::vault::{VaultClient, restore::RestorePace},
    domain::{
        object::{ObjectId, ObjectKind},
        source::Source,
    },
};

/// Bytes that no service accepts as a backup.
const NO_BACKUP: &[u8] = b"preflight";

/// Tries every drill vault. None in an app that does not drill.
pub(super) async fn observe(context: &Context<'_>) -> Vec<DrillVaultSeen> {
    if !context.config.role.keeps() {
        return Vec::new();
    }
    let seen = each(context.config.drills.vaults(), |url| one(context, url)).await;
    seen.into_iter().flatten().collect()
}

/// Looks at what the vault holds, and tries to restore what is no backup, and to delete and purge what cannot exist.
async fn one(context: &Context<'_>, url: &Source) -> Option<DrillVaultSeen> {
    let pace = RestorePace::new(context.config.restores);
    let client = VaultClient::new(url, &context.connection, context.config.vault_rate, pace).ok()?;
    let (unused, client) = (absent_name()?, &client);
    let absent = |kind| ObjectId::new(kind, unused.clone());
    let absent = &absent;
    let open = known(async { context.app.jobs()?.drill_in(url.name()).await });
    let (seen, open, restores, deletes, purges) = futures::join!(
        within(client.seen()),
        open,
        each(ObjectKind::ALL, |kind| async move {
            (kind, tried(client.restore(&absent(kind), NO_BACKUP.to_vec().into())).await)
        }),
        each(ObjectKind::ALL, |kind| async move { (kind, tried(client.delete(&absent(kind))).await) }),
        each(ObjectKind::ALL, |kind| async move { (kind, tried(client.purge(&absent(kind))).await) }),
    );
    let names = open.ok().flatten().map(|open| open.of.names).unwrap_or_default();
    Some(DrillVaultSeen { name: url.name().clone(), seen, names, restores, deletes, purges })
}

//! Trying a vault's rights.

use super::findings::vaults::{Kinds, VaultSeen};
use super::{Context, absent_name, each, tried, within};
use crate::{
    azure::vault::{VaultClient, restore::RestorePace},
    domain::{
        cause::{Came, Cause},
        object::{ObjectId, ObjectKind, ObjectName},
        outcome::Failure,
        role::Role,
        source::Source,
    },
};

/// Bytes that no service accepts as a backup.
const NO_BACKUP: &[u8] = b"preflight";

/// Tries every configured vault.
pub(super) async fn observe(context: &Context<'_>) -> Vec<VaultSeen> {
    each(&context.config.vaults, |url| one(context, url)).await
}

async fn one(context: &Context<'_>, url: &Source) -> VaultSeen {
    let pace = RestorePace::new(context.config.restores);
    let name = url.name().clone();
    let made = VaultClient::new(url, &context.connection, context.config.vault_rate, pace);
    let (Ok(client), Some(unused)) = (made, absent_name()) else {
        return never_asked(url);
    };
    let client = &client;
    let absent = |kind| ObjectId::new(kind, unused.clone());
    let absent = &absent;
    let (lists, value, purges, restores) = futures::join!(
        each(ObjectKind::ALL, |kind| async move { (kind, within(client.first(kind)).await) }),
        tried(client.read_value(&unused)),
        each(ObjectKind::ALL, |kind| async move { (kind, tried(client.purge(&absent(kind))).await) }),
        each(ObjectKind::ALL, |kind| async move {
            (kind, tried(client.restore(&absent(kind), NO_BACKUP.to_vec().into())).await)
        }),
    );
    // The restore app takes no backup, not even to drop it: it only tries whether it could.
    let real = context.config.role != Role::Restore;
    let object = |kind, first: Option<ObjectName>| {
        ObjectId::new(kind, first.filter(|_| real).unwrap_or_else(|| unused.clone()))
    };
    let firsts: Vec<_> =
        lists.iter().map(|(kind, first)| object(*kind, first.clone().unwrap_or_default())).collect();
    let backups = each(firsts, |id| async move { (id.kind, tried(client.backup(&id)).await) }).await;
    let lists = lists.into_iter().map(|(kind, first)| (kind, first.map_or_else(|came| came, |_| Came::Done)));
    VaultSeen { name, lists: lists.collect(), backups, value, purges, restores }
}

/// The result if the official client refuses the address. Not expected, because settings are checked before.
fn never_asked(url: &Source) -> VaultSeen {
    let came = || Came::Refused(Cause::Other, Failure::ours("NotSent", "no client could be made"));
    let each = || -> Kinds { ObjectKind::ALL.map(|kind| (kind, came())).into() };
    VaultSeen {
        name: url.name().clone(),
        lists: each(),
        backups: each(),
        value: came(),
        purges: each(),
        restores: each(),
    }
}

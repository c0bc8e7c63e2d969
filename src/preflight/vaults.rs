//! Trying a vault's rights.

use super::findings::vaults::{Kinds, VaultSeen};
use super::{Context, each, nobody, tried, within};
use crate::{
    azure::vault::{VaultClient, restore::RestorePace},
    domain::role::Role,
    domain::{
        cause::{Came, Cause},
        object::{ObjectId, ObjectKind, ObjectName, VaultUrl},
        outcome::Failure,
    },
};

/// What no service takes for a backup.
const NO_BACKUP: &[u8] = b"preflight";

/// Looks at every configured vault.
pub(super) async fn observe(context: &Context<'_>) -> Vec<VaultSeen> {
    each(&context.config.vaults, |url| one(context, url)).await
}

async fn one(context: &Context<'_>, url: &VaultUrl) -> VaultSeen {
    let pace = RestorePace::new(context.config.restores);
    let name = url.name().clone();
    let made = VaultClient::new(url, &context.connection, context.config.vault_rate, pace);
    let (Ok(client), Some(nobody)) = (made, nobody()) else {
        return never_asked(url);
    };
    let client = &client;
    let absent = |kind| ObjectId::new(kind, nobody.clone());
    let absent = &absent;
    let (lists, value, purges, restores) = futures::join!(
        each(ObjectKind::ALL, |kind| async move { (kind, within(client.first(kind)).await) }),
        tried(client.read_value(&nobody)),
        each(ObjectKind::ALL, |kind| async move { (kind, tried(client.purge(&absent(kind))).await) }),
        each(ObjectKind::ALL, |kind| async move {
            (kind, tried(client.restore(&absent(kind), NO_BACKUP.to_vec().into())).await)
        }),
    );
    // The restore app takes no backup, not even to throw it away: only whether it might is looked at.
    let real = context.config.role != Role::Restore;
    let object = |kind, first: Option<ObjectName>| {
        ObjectId::new(kind, first.filter(|_| real).unwrap_or_else(|| nobody.clone()))
    };
    let firsts: Vec<_> =
        lists.iter().map(|(kind, first)| object(*kind, first.clone().unwrap_or_default())).collect();
    let backups = each(firsts, |id| async move { (id.kind, tried(client.backup(&id)).await) }).await;
    let lists = lists.into_iter().map(|(kind, first)| (kind, first.map_or_else(|came| came, |_| Came::Done)));
    VaultSeen { name, lists: lists.collect(), backups, value, purges, restores }
}

/// The official client refused the address. Settings are checked before, so this is not to be expected.
fn never_asked(url: &VaultUrl) -> VaultSeen {
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

//! The fate of a failed call, decided by the service that answered, the operation, and the meaning of the answer.
//!
//! Storage, queue and identity are this program's own means. Nothing they answer is about an object, so no answer of
//! theirs ends the work on one: it is tried again, and recorded as what it is. A vault or an HSM does answer about the
//! object, but not always: who may ask, and from where, is decided elsewhere, by people and networks that may still be
//! changing it.

/// A service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
pub enum Service {
    /// A vault, or the keys of an HSM one by one.
    Vault,
    /// The administration of a Managed HSM.
    #[strum(serialize = "HSM")]
    Hsm,
    /// Blob storage.
    Storage,
    /// Queue storage.
    Queue,
    /// The service that issues tokens.
    Identity,
}

impl Service {
    /// Whether it is one of this program's own means, whose answers say nothing about an object.
    pub const fn is_ours(self) -> bool {
        match self {
            Self::Vault | Self::Hsm => false,
            Self::Storage | Self::Queue | Self::Identity => true,
        }
    }

    /// Its name in codes and texts.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The operation that a call requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Operation {
    /// List the contents of a vault or a container.
    List,
    /// Read one thing: an object's versions, a blob, a queue.
    Read,
    /// Back up an object.
    BackUp,
    /// Restore an object.
    Restore,
    /// Recover a soft-deleted object.
    Recover,
    /// Purge a soft-deleted object.
    Purge,
    /// Write or replace a blob.
    Write,
    /// Delete a blob.
    Delete,
    /// Send a message.
    Send,
    /// Start an HSM's operation.
    Start,
    /// Check whether an HSM's operation is possible.
    Check,
    /// Read the state of an HSM's operation.
    Follow,
}

/// The meaning of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Meaning {
    /// Too many requests.
    Throttled,
    /// The service is down.
    Unavailable,
    /// No answer, or an incomplete one.
    Network,
    /// A fresh token was rejected.
    Unauthorized,
    /// Denied for a right or a network: access policy, role, firewall. Also any refusal that is not known to be about
    /// the object.
    Denied,
    /// Refused for what the object is: the service does not do this with it for any caller.
    Forbidden,
    /// Not found.
    NotFound,
    /// A conflict, because the thing exists already or has changed.
    Exists,
    /// Any other conflict: the object is being deleted, recovered, changed.
    Busy,
    /// Any other refusal.
    Refused,
    /// An answer that makes no sense.
    Nonsense,
    /// No token could be obtained.
    NoToken,
    /// Never sent: the program was told to stop.
    Stopped,
    /// Never sent: the host is not configured, or the request is impossible.
    NotSent,
}

impl Meaning {
    /// Whether the answer is a refusal, as opposed to no answer or an unusable one.
    pub const fn refuses(self) -> bool {
        match self {
            Self::Denied
            | Self::Forbidden
            | Self::NotFound
            | Self::Exists
            | Self::Refused
            | Self::NotSent => true,
            Self::Throttled
            | Self::Unavailable
            | Self::Network
            | Self::Unauthorized
            | Self::Busy
            | Self::Nonsense
            | Self::NoToken
            | Self::Stopped => false,
        }
    }
}

/// What happens after a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The queue retries it: a minute later, a few times.
    Retry,
    /// Not allowed yet: a right that was just granted, a firewall that was just opened, one address of several. It is
    /// tried again at growing intervals, and recorded if it has not passed by then.
    Later,
    /// The service's answer about the object itself. It is recorded.
    Fail,
}

impl Fate {
    /// Whether the same call may succeed later.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Retry | Self::Later => true,
            Self::Fail => false,
        }
    }
}

/// What follows when `service`, asked for `operation`, gives an answer of this `meaning`.
pub const fn fate(service: Service, operation: Operation, meaning: Meaning) -> Fate {
    use Fate::{Fail, Later, Retry};
    use Meaning::{
        Busy, Denied, Exists, Forbidden, Network, NoToken, Nonsense, NotFound, NotSent, Refused, Stopped,
        Throttled, Unauthorized, Unavailable,
    };
    use Operation::List;
    use Service::{Hsm, Identity, Queue, Storage, Vault};

    match (service, operation, meaning) {
        (Storage | Queue | Identity, _, _)
        | (Vault | Hsm, _, Throttled | Unavailable | Network | Busy | Nonsense | NoToken | Stopped) => Retry,
        // A list names no object: "not found" means a vault that is being moved or recovered.
        (Vault | Hsm, _, Unauthorized | Denied) | (Vault | Hsm, List, NotFound) => Later,
        (Vault | Hsm, _, Forbidden | NotFound | Exists | Refused | NotSent) => Fail,
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    /// Every combination, in the order of the lists above: `r`etry, `l`ater, `f`ail.
    const TABLE: [(&[Service], &[Operation], &str); 3] = [
        (&[Service::Storage, Service::Queue, Service::Identity], Operation::VARIANTS, "rrrrrrrrrrrrrr"),
        (&[Service::Vault, Service::Hsm], &[Operation::List], "rrrllflfrfrrrf"),
        (
            &[Service::Vault, Service::Hsm],
            &[
                Operation::Read,
                Operation::BackUp,
                Operation::Restore,
                Operation::Recover,
                Operation::Purge,
                Operation::Write,
                Operation::Delete,
                Operation::Send,
                Operation::Start,
                Operation::Check,
                Operation::Follow,
            ],
            "rrrllfffrfrrrf",
        ),
    ];

    #[test]
    fn who_answered_what_was_asked_and_what_it_means_decide() {
        let mut told = 0;
        for (services, operations, fates) in TABLE {
            assert_eq!(fates.len(), Meaning::VARIANTS.len());
            for (service, operation) in services.iter().flat_map(|s| operations.iter().map(move |o| (*s, *o)))
            {
                for (meaning, expected) in Meaning::VARIANTS.iter().copied().zip(fates.chars()) {
                    let found = match fate(service, operation, meaning) {
                        Fate::Retry => 'r',
                        Fate::Later => 'l',
                        Fate::Fail => 'f',
                    };
                    assert_eq!(found, expected, "{service:?} {operation:?} {meaning:?}");
                    told += 1;
                }
            }
        }
        let all = Service::VARIANTS.len() * Operation::VARIANTS.len() * Meaning::VARIANTS.len();
        assert_eq!(told, all, "the table is whole");
    }

    #[test]
    fn a_refusal_is_a_no_and_not_a_silence() {
        let refuses: String =
            Meaning::VARIANTS.iter().map(|meaning| if meaning.refuses() { 'n' } else { '-' }).collect();
        assert_eq!(refuses, "----nnnn-n---n", "in the order of the list of meanings");
    }

    #[test]
    fn all_but_a_failure_may_pass() {
        assert_eq!([Fate::Retry, Fate::Later, Fate::Fail].map(Fate::may_pass), [true, true, false]);
    }

    #[test]
    fn the_vaults_and_the_hsms_are_not_ours() {
        let said = Service::VARIANTS.iter().map(|service| (service.as_str(), service.is_ours()));
        let ours = [("Storage", true), ("Queue", true), ("Identity", true)];
        assert!(said.eq([("Vault", false), ("HSM", false), ours[0], ours[1], ours[2]]));
    }

    #[test]
    fn what_is_ours_never_ends_the_work_on_an_object() {
        for service in Service::VARIANTS.iter().copied().filter(|service| service.is_ours()) {
            for (operation, meaning) in Operation::VARIANTS
                .iter()
                .copied()
                .flat_map(|o| Meaning::VARIANTS.iter().copied().map(move |m| (o, m)))
            {
                assert_eq!(
                    fate(service, operation, meaning),
                    Fate::Retry,
                    "{service:?} {operation:?} {meaning:?}"
                );
            }
        }
    }
}

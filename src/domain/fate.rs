//! What follows from a call that failed: who answered, what was asked, and what the answer means decide together.
//!
//! Storage, queue and identity are this program's own means. Nothing they say is about an object, so none of it ends
//! the work on one; it is tried again, and recorded as what it is. A vault or an HSM speaks of the object, but not in
//! everything: who may ask, and from where, is settled elsewhere, by people and networks that are still at it.

/// A service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// A vault, or the keys of an HSM one by one.
    Vault,
    /// The administration of a Managed HSM.
    Hsm,
    /// Blob storage.
    Storage,
    /// Queue storage.
    Queue,
    /// Whatever gives tokens.
    Identity,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 5] = [Self::Vault, Self::Hsm, Self::Storage, Self::Queue, Self::Identity];

    /// Whether it is one of this program's own means, whose word says nothing of an object.
    pub const fn is_ours(self) -> bool {
        match self {
            Self::Vault | Self::Hsm => false,
            Self::Storage | Self::Queue | Self::Identity => true,
        }
    }

    /// Its name in codes and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "Vault",
            Self::Hsm => "HSM",
            Self::Storage => "Storage",
            Self::Queue => "Queue",
            Self::Identity => "Identity",
        }
    }
}

/// What was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A list: of what a vault or a container holds.
    List,
    /// A look at one thing: an object's versions, a blob, a queue.
    Read,
    /// The backup of an object.
    BackUp,
    /// The restore of an object.
    Restore,
    /// The recovery of a soft-deleted object.
    Recover,
    /// The purge of a soft-deleted object.
    Purge,
    /// A blob, written or replaced.
    Write,
    /// A blob, deleted.
    Delete,
    /// A message, sent.
    Send,
    /// The start of an HSM's operation.
    Start,
    /// A check of whether an HSM's operation could be done.
    Check,
    /// A question how an HSM's operation stands.
    Follow,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 12] = [
        Self::List,
        Self::Read,
        Self::BackUp,
        Self::Restore,
        Self::Recover,
        Self::Purge,
        Self::Write,
        Self::Delete,
        Self::Send,
        Self::Start,
        Self::Check,
        Self::Follow,
    ];
}

/// What the answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// It was asked too often.
    Throttled,
    /// It is down.
    Unavailable,
    /// No answer, or half of one.
    Network,
    /// A fresh token does not count.
    Unauthorized,
    /// Not allowed, for a right or a network: access policy, role, firewall. What is not known to be about the object
    /// counts as this.
    Denied,
    /// Not allowed, for what the object is: the service does not do this with it, whoever asks.
    Forbidden,
    /// Not there.
    NotFound,
    /// In conflict, because the thing is there already or has changed.
    Exists,
    /// In conflict for any other reason: the object is being deleted, recovered, changed.
    Busy,
    /// Any other refusal.
    Refused,
    /// An answer that makes no sense.
    Nonsense,
    /// No token could be had.
    NoToken,
    /// Never sent: the program was told to stop.
    Stopped,
    /// Never sent: the host is not configured, or the request is not possible.
    NotSent,
}

impl Meaning {
    /// Every meaning.
    pub const ALL: [Self; 14] = [
        Self::Throttled,
        Self::Unavailable,
        Self::Network,
        Self::Unauthorized,
        Self::Denied,
        Self::Forbidden,
        Self::NotFound,
        Self::Exists,
        Self::Busy,
        Self::Refused,
        Self::Nonsense,
        Self::NoToken,
        Self::Stopped,
        Self::NotSent,
    ];

    /// Whether somebody said no, in place of saying nothing or nothing usable.
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

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is tried again with the queue's patience: a minute later, a few times.
    Retry,
    /// Somebody may not yet: a right that was just granted, a firewall that was just opened, one address of several.
    /// It is tried again at growing distances, and is recorded when it has not passed by then.
    Later,
    /// What the service says of the thing itself. It is recorded.
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

/// What follows when `service`, asked for `operation`, answers with this `meaning`.
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
        // A list names no object: one that is not found is a vault that is being moved or recovered.
        (Vault | Hsm, _, Unauthorized | Denied) | (Vault | Hsm, List, NotFound) => Later,
        (Vault | Hsm, _, Forbidden | NotFound | Exists | Refused | NotSent) => Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination, in the order of the lists above: `r`etry, `l`ater, `f`ail.
    const TABLE: [(&[Service], &[Operation], &str); 3] = [
        (&[Service::Storage, Service::Queue, Service::Identity], &Operation::ALL, "rrrrrrrrrrrrrr"),
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
            assert_eq!(fates.len(), Meaning::ALL.len());
            for (service, operation) in services.iter().flat_map(|s| operations.iter().map(move |o| (*s, *o)))
            {
                for (meaning, expected) in Meaning::ALL.into_iter().zip(fates.chars()) {
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
        let all = Service::ALL.len() * Operation::ALL.len() * Meaning::ALL.len();
        assert_eq!(told, all, "the table is whole");
    }

    #[test]
    fn a_refusal_is_a_no_and_not_a_silence() {
        let refuses: String =
            Meaning::ALL.map(|meaning| if meaning.refuses() { 'n' } else { '-' }).into_iter().collect();
        assert_eq!(refuses, "----nnnn-n---n", "in the order of the list of meanings");
    }

    #[test]
    fn all_but_a_failure_may_pass() {
        assert_eq!([Fate::Retry, Fate::Later, Fate::Fail].map(Fate::may_pass), [true, true, false]);
    }

    #[test]
    fn the_vaults_and_the_hsms_are_not_ours() {
        let said = Service::ALL.map(|service| (service.as_str(), service.is_ours()));
        let ours = [("Storage", true), ("Queue", true), ("Identity", true)];
        assert_eq!(said, [("Vault", false), ("HSM", false), ours[0], ours[1], ours[2]]);
    }

    #[test]
    fn what_is_ours_never_ends_the_work_on_an_object() {
        for service in Service::ALL.into_iter().filter(|service| service.is_ours()) {
            for (operation, meaning) in
                Operation::ALL.into_iter().flat_map(|o| Meaning::ALL.into_iter().map(move |m| (o, m)))
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

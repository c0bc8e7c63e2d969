//! A storage account in the hands of a test.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    account::{Account, Container, StoredBlob, WriteProtection},
    queue_handle::QueueHandle,
    rights::{Rights, Taken},
    versions::{Deletion, Keeping},
};
use crate::azure::{World, operation::Service};

/// A storage account: looks into it and changes it without REST.
#[derive(Clone)]
pub struct StorageHandle {
    pub(crate) world: Arc<World>,
    pub(crate) account: Arc<Account>,
}

impl StorageHandle {
    /// `https://{account}.blob.core.windows.net`, without a slash at its end.
    pub fn blob_url(&self) -> String {
        self.url(Service::Blob)
    }

    /// `https://{account}.queue.core.windows.net`, without a slash at its end.
    pub fn queue_url(&self) -> String {
        self.url(Service::Queue)
    }

    fn url(&self, service: Service) -> String {
        format!("https://{}{}", self.account.name, self.account.cloud.suffix(service))
    }

    /// Makes a container unless it is there.
    pub fn create_container(&self, name: &str) {
        self.account.create_container(name, Vec::new(), self.world.clock.now());
    }

    /// Gives a caller rights, beside those that it has. Callers are named as in the log of requests. From now on nobody
    /// else has any in the account; the handle itself is not bound by that.
    pub fn give(&self, caller: &str, rights: Rights) {
        self.account.guard.give(caller, rights);
    }

    /// Takes all rights from a caller.
    pub fn take_rights(&self, caller: &str) {
        self.account.guard.take(caller);
    }

    /// Sets what an identity that may only add is answered for a name that is taken. A conflict at first.
    pub fn set_taken(&self, taken: Taken) {
        self.account.guard.set_taken(taken);
    }

    /// Sets whether the account's firewall keeps out the service itself, when it is to copy from here into another account.
    /// Callers with a way in of their own are not bound by that. Open at first.
    pub fn close_to_copies(&self, closed: bool) {
        self.account.close_to_copies(closed);
    }

    /// Makes a queue unless it is there.
    pub fn create_queue(&self, name: &str) {
        self.account.queues.lock().entry(name.to_owned()).or_default();
    }

    /// The names of all containers.
    pub fn containers(&self) -> Vec<String> {
        self.account.containers.read().keys().cloned().collect()
    }

    /// The names of all blobs in a container, in the order of a listing. None if there is no such container.
    pub fn blobs(&self, container: &str) -> Vec<String> {
        let containers = self.account.containers.read();
        containers
            .get(container)
            .map(|container| container.blobs.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// A blob.
    pub fn blob(&self, container: &str, name: &str) -> Option<StoredBlob> {
        self.account.containers.read().get(container)?.blobs.get(name).cloned()
    }

    /// Puts a blob, whatever is there and whatever a policy says. Makes the container if it must.
    pub fn put_blob(&self, container: &str, name: &str, bytes: impl Into<Bytes>, metadata: &[(&str, &str)]) {
        let (bytes, now) = (bytes.into(), self.world.clock.now());
        let blob = StoredBlob {
            metadata: metadata
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..StoredBlob::plain(bytes, self.account.etag(), now)
        };
        self.create_container(container);
        self.with(container, |container| container.put(&self.account, name, blob, now));
    }

    /// Deletes a blob, whatever a policy says. Says whether it was there.
    pub fn delete_blob(&self, container: &str, name: &str) -> bool {
        let (keeping, now) = (self.account.keeping(), self.world.clock.now());
        let deletion = self.with(container, |container| container.remove(keeping, name, now));
        deletion.is_some_and(|deletion| deletion != Deletion::Missing)
    }

    /// Sets what the account keeps of blobs that are overwritten or deleted. Nothing at first.
    pub fn keep(&self, keeping: Keeping) {
        *self.account.keeping.write() = keeping;
    }

    /// The versions of a blob that are not deleted, oldest first and the current one last.
    pub fn versions(&self, container: &str, name: &str) -> Vec<StoredBlob> {
        let containers = self.account.containers.read();
        let Some(container) = containers.get(container) else { return Vec::new() };
        let older = container.older.iter().filter(|((of, _), blob)| of == name && blob.deleted.is_none());
        older.map(|(_, blob)| blob).chain(container.blobs.get(name)).cloned().collect()
    }

    /// Changes a blob behind everybody's back: neither its entity tag nor its MD5 follow unless the change
    /// sets them. Says whether it was there.
    pub fn damage_blob(&self, container: &str, name: &str, change: impl FnOnce(&mut StoredBlob)) -> bool {
        self.with(container, |container| container.blobs.get_mut(name).map(change)).flatten().is_some()
    }

    /// Flips a bit in the middle of a blob. Says whether it was there.
    pub fn flip_bit(&self, container: &str, name: &str) -> bool {
        self.damage_blob(container, name, |blob| {
            let mut bytes = blob.bytes.to_vec();
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
            blob.bytes = bytes.into();
        })
    }

    /// Sets whether a container refuses to give up what it has: overwriting is answered 409 as under an
    /// immutability policy, deleting 403 as without the right to. The handle itself is not bound by it.
    pub fn set_append_only(&self, container: &str, append_only: bool) {
        self.create_container(container);
        self.with(container, |container| container.append_only = append_only);
    }

    /// Sets whether a request that breaks both a container's immutability policy and a condition of its own is
    /// answered for the policy. Which of the two Azure looks at first is not known; at first it is the condition.
    pub fn set_policy_first(&self, container: &str, policy_first: bool) {
        self.create_container(container);
        self.with(container, |container| container.policy_first = policy_first);
    }

    /// Sets how versions in a container are protected, or takes the protection away.
    pub fn set_write_protection(&self, container: &str, protection: impl Into<Option<WriteProtection>>) {
        self.create_container(container);
        self.with(container, |container| container.protection = protection.into());
    }

    /// Takes a container away with everything in it.
    pub fn delete_container(&self, name: &str) -> bool {
        self.account.containers.write().remove(name).is_some()
    }

    /// Takes a queue away with everything in it.
    pub fn delete_queue(&self, name: &str) -> bool {
        self.account.queues.lock().remove(name).is_some()
    }

    /// A queue, made if it is not there.
    pub fn queue(&self, name: &str) -> QueueHandle {
        self.create_queue(name);
        QueueHandle {
            world: Arc::clone(&self.world),
            account: Arc::clone(&self.account),
            name: name.to_owned(),
        }
    }

    /// Whether there is a queue of that name.
    pub fn has_queue(&self, name: &str) -> bool {
        self.account.queues.lock().contains_key(name)
    }

    /// The names of all queues.
    pub fn queues(&self) -> Vec<String> {
        self.account.queues.lock().keys().cloned().collect()
    }

    fn with<T>(&self, container: &str, work: impl FnOnce(&mut Container) -> T) -> Option<T> {
        self.account.containers.write().get_mut(container).map(work)
    }
}

//! The storage's own legal holds.

use super::{Container, Operation, ServiceError};

impl Container {
    /// Sets or lifts the legal hold on what a blob's name stands for now. Storage lets no identity
    /// delete a blob that has one. Safe to run twice.
    ///
    /// # Errors
    /// As the service answers: it wants `blobs/immutableStorage/runAsSuperUser/action`, and a container that was made for
    /// immutability of single versions.
    pub async fn set_legal_hold(&self, name: &str, on: bool) -> Result<(), ServiceError> {
        let set = self.client.blob_client(name).set_legal_hold(on, None).await;
        set.map(drop).map_err(|error| self.error(Operation::Write, "set the legal hold of", name, &error))
    }
}

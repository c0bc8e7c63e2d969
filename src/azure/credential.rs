//! The program's identity.

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, RetryOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};

use super::{retry::ShortRetry, transport::TokenTransport};

/// The source of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The platform's endpoint, on Azure Functions; the client id names a user-assigned identity.
    Managed {
        /// `None` for the system-assigned identity.
        client_id: Option<String>,
    },
    /// A federated token from a file, on Kubernetes and in pipelines.
    Workload {
        /// `None` to take it from `AZURE_CLIENT_ID`, as the platform sets it.
        client_id: Option<String>,
    },
    /// The account that is signed in to `az`, on a laptop.
    Cli,
}

/// The credential of an identity. Tokens are cached by scope and renewed before they expire.
///
/// # Errors
/// When the identity's own settings are missing, such as the federated token's file.
pub fn credential(
    identity: &Identity,
    client: reqwest::Client,
    longest_wait: Duration,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let client_options = ClientOptions {
        transport: Some(Transport::new(TokenTransport::new(client) as _)),
        retry: RetryOptions::custom(Arc::new(ShortRetry::new(longest_wait))),
        ..ClientOptions::default()
    };
    Ok(match identity {
        Identity::Managed { client_id } => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options,
            }))?
        }
        Identity::Workload { client_id } => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: client_id.clone(),
                ..WorkloadIdentityCredentialOptions::default()
            }))?
        }
        Identity::Cli => AzureCliCredential::new(None)?,
    })
}

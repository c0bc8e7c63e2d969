//! The work queue.

use std::{sync::Arc, time::Duration};

use azure_core::http::{RequestContent, Url, XmlFormat};
use azure_storage_queue::{
    QueueClient, QueueClientOptions,
    models::{QueueClientGetPropertiesResultHeaders as _, QueueClientSendMessageOptions, QueueMessage},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    Connection,
    error::{Asked, Operation, Service, ServiceError},
};

/// A queue that the Functions host reads. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    client: Arc<QueueClient>,
    name: String,
}

impl Queue {
    /// The queue `name` of the storage account's queue endpoint.
    ///
    /// # Errors
    /// When the official client refuses the URL.
    pub fn new(service: &Url, name: &str, connection: &Connection) -> azure_core::Result<Self> {
        let options = QueueClientOptions {
            client_options: connection.client_options(Vec::new()),
            ..QueueClientOptions::default()
        };
        let url = service.join(name)?;
        let client = QueueClient::new(url, Some(Arc::clone(&connection.credential)), Some(options))?;
        Ok(Self { client: Arc::new(client), name: name.to_owned() })
    }

    /// The approximate number of messages, including those that are being processed.
    ///
    /// # Errors
    /// As the service answers, also when there is no such queue.
    pub async fn count(&self) -> Result<i64, ServiceError> {
        let asked = async {
            let found = self.client.get_properties(None).await?;
            Ok(found.approximate_messages_count()?.unwrap_or_default())
        };
        asked.await.map_err(|error| ServiceError::of(self.asked(Operation::Read, "look up"), &error))
    }

    /// Sends a text, which disappears after `lifetime` if it was not received by then.
    ///
    /// The host expects base64 (host.json, `messageEncoding`); the client leaves the encoding to its caller. A retry
    /// after a lost answer sends the text twice, so the receiver must tolerate copies.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn send(&self, text: &str, lifetime: Duration) -> Result<(), ServiceError> {
        self.send_later(text, Duration::ZERO, lifetime).await
    }

    /// [`Queue::send`], of a text that nothing receives for so many whole seconds. They have to be fewer than those of the
    /// lifetime.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn send_later(
        &self,
        text: &str,
        hidden: Duration,
        lifetime: Duration,
    ) -> Result<(), ServiceError> {
        let sent = async {
            let message = QueueMessage { message_text: Some(BASE64.encode(text)) };
            let content: RequestContent<QueueMessage, XmlFormat> = message.try_into()?;
            let options = QueueClientSendMessageOptions {
                message_time_to_live: i32::try_from(lifetime.as_secs()).ok(),
                visibility_timeout: i32::try_from(hidden.as_secs()).ok().filter(|seconds| *seconds > 0),
                ..QueueClientSendMessageOptions::default()
            };
            self.client.send_message(content, Some(options)).await
        };
        let asked = || self.asked(Operation::Send, "send a message to");
        sent.await.map(drop).map_err(|error| ServiceError::of(asked(), &error))
    }

    fn asked(&self, operation: Operation, verb: &str) -> Asked {
        Asked::new(Service::Queue, operation, format!("{verb} queue {}", self.name))
    }
}

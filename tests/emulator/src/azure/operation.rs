//! Which service was called, and for what.

use serde::Serialize;

/// A service of the emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Service {
    /// The managed identity endpoint.
    Identity,
    /// The data plane of a vault.
    Vault,
    /// The data plane of a Managed HSM.
    Hsm,
    /// Blob storage.
    Blob,
    /// Queue storage.
    Queue,
}

/// What a request asks for. Deletes, recoveries and the like name the object in [`crate::Entry::object`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Operation {
    /// A token from the identity endpoint.
    Token,

    /// `GET /secrets`.
    ListSecrets,
    /// `GET /keys`.
    ListKeys,
    /// `GET /certificates`.
    ListCertificates,
    /// `GET /{kind}/{name}/versions`.
    ListVersions,
    /// `GET /{kind}/{name}` or one version of it.
    GetObject,
    /// `PUT /secrets/{name}`.
    SetSecret,
    /// `POST /keys/{name}/create`.
    CreateKey,
    /// `POST /certificates/{name}/create`.
    CreateCertificate,
    /// `GET /certificates/{name}/pending`.
    GetPending,
    /// `PATCH /certificates/{name}/pending`.
    CancelPending,
    /// `DELETE /certificates/{name}/pending`.
    DeletePending,
    /// `PATCH` of an object or a version.
    UpdateObject,
    /// `POST /{kind}/{name}/backup`.
    Backup,
    /// `POST /{kind}/restore`. The object is the one in the blob, if the blob can be read.
    Restore,
    /// `DELETE /{kind}/{name}`.
    DeleteObject,
    /// `GET /deleted{kind}`.
    ListDeleted,
    /// `GET /deleted{kind}/{name}`.
    GetDeleted,
    /// `POST /deleted{kind}/{name}/recover`.
    Recover,
    /// `DELETE /deleted{kind}/{name}`.
    Purge,

    /// `POST /backup` of a Managed HSM.
    StartBackup,
    /// `PUT /restore` of a Managed HSM.
    StartRestore,
    /// `PUT /keys/{name}/restore` of a Managed HSM.
    StartKeyRestore,
    /// `POST /prebackup` of a Managed HSM.
    CheckBackup,
    /// `PUT /prerestore` of a Managed HSM.
    CheckRestore,
    /// `GET /backup/{job}/pending` of a Managed HSM. The object is the job.
    BackupStatus,
    /// `GET /restore/{job}/pending` of a Managed HSM. The object is the job.
    RestoreStatus,

    /// `PUT ?restype=container`.
    CreateContainer,
    /// `GET` or `HEAD ?restype=container`.
    GetContainer,
    /// `DELETE ?restype=container`.
    DeleteContainer,
    /// `GET ?restype=container&comp=list`.
    ListBlobs,
    /// A whole blob in one `PUT`.
    PutBlob,
    /// A blob in one `PUT`, whose content the service reads from another blob.
    PutBlobFromUrl,
    /// `PUT ?comp=block`.
    PutBlock,
    /// `PUT ?comp=blocklist`.
    PutBlockList,
    /// `GET ?comp=blocklist`.
    GetBlockList,
    /// `GET` of a blob.
    GetBlob,
    /// `HEAD` of a blob.
    GetBlobProperties,
    /// `PUT ?comp=metadata` of a blob.
    SetBlobMetadata,
    /// `DELETE` of a blob or of a version.
    DeleteBlob,
    /// `PUT ?comp=undelete` of a blob.
    UndeleteBlob,
    /// `PUT ?comp=immutabilityPolicies` of a blob or of a version.
    SetImmutabilityPolicy,
    /// `DELETE ?comp=immutabilityPolicies` of a blob or of a version.
    DeleteImmutabilityPolicy,
    /// `PUT ?comp=legalhold` of a blob or of a version.
    SetLegalHold,

    /// `GET ?comp=list` of the account.
    ListQueues,
    /// `PUT` of a queue.
    CreateQueue,
    /// `DELETE` of a queue.
    DeleteQueue,
    /// `GET` or `HEAD ?comp=metadata` of a queue.
    GetQueue,
    /// `PUT ?comp=metadata` of a queue.
    SetQueueMetadata,
    /// `POST /{queue}/messages`.
    SendMessage,
    /// `GET /{queue}/messages`.
    ReceiveMessages,
    /// `GET /{queue}/messages?peekonly=true`.
    PeekMessages,
    /// `PUT /{queue}/messages/{id}`.
    UpdateMessage,
    /// `DELETE /{queue}/messages/{id}`.
    DeleteMessage,
    /// `DELETE /{queue}/messages`.
    ClearMessages,

    /// Anything the emulator does not know.
    Other,
}

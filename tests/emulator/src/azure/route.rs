//! What a request asks for, read from its method, path and query.

use hyper::Method;

use super::{
    call::{Call, Query, segments},
    keyvault::Kind,
    operation::{Operation, Service},
};

/// The classified target of a request.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    /// The kind of vault object.
    pub(crate) kind: Option<Kind>,
    /// The name of the object, container or queue.
    pub(crate) name: String,
    /// The version of the object, the name of the blob, or the id of the message.
    pub(crate) item: Option<String>,
}

impl Route {
    pub(crate) fn of(service: Service, method: &Method, path: &str, query: &Query) -> Self {
        match service {
            Service::Vault => vault(method, &segments(path)),
            Service::Hsm => hsm(method, &segments(path)),
            Service::Blob => blob(method, path, query),
            Service::Queue => queue(method, &segments(path), query),
            Service::Identity => Self::new(Operation::Token),
        }
    }

    /// What the log and the faults call the object.
    pub(crate) fn object(&self) -> String {
        match (self.kind, &self.item) {
            (None, Some(item)) if !self.name.is_empty() => format!("{}/{item}", self.name),
            _ => self.name.clone(),
        }
    }

    /// How a refusal names what has no operation.
    pub(crate) fn words(call: &Call) -> String {
        let comp =
            ["restype", "comp"].map(|name| call.query.get(name).map(|value| format!("{name}={value}")));
        let named: Vec<_> = comp.into_iter().flatten().collect();
        let named = if named.is_empty() { String::new() } else { format!("?{}", named.join("&")) };
        format!("{} {}{named}", call.method, call.uri.path())
    }

    fn new(operation: Operation) -> Self {
        Self { operation, kind: None, name: String::new(), item: None }
    }

    fn named(operation: Operation, name: &str, item: Option<&str>) -> Self {
        Self { operation, kind: None, name: name.to_owned(), item: item.map(str::to_owned) }
    }
}

fn vault(method: &Method, segments: &[String]) -> Route {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some((collection, rest)) = parts.split_first() else { return Route::new(Operation::Other) };
    let (kind, deleted) = match collection.strip_prefix("deleted") {
        Some(plain) => (Kind::from_collection(plain), true),
        None => (Kind::from_collection(collection), false),
    };
    let Some(kind) = kind else { return Route::new(Operation::Other) };
    let operation =
        if deleted { deleted_operation(method, rest) } else { live_operation(method, kind, rest) };
    let name = if operation == Operation::Restore { "" } else { rest.first().copied().unwrap_or_default() };
    let item = match operation {
        Operation::GetObject | Operation::UpdateObject => rest.get(1).copied(),
        _ => None,
    };
    Route { kind: Some(kind), ..Route::named(operation, name, item) }
}

fn hsm(method: &Method, segments: &[String]) -> Route {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["backup"]) => Route::new(Operation::StartBackup),
        ("PUT", ["restore"]) => Route::new(Operation::StartRestore),
        ("POST", ["prebackup"]) => Route::new(Operation::CheckBackup),
        ("PUT", ["prerestore"]) => Route::new(Operation::CheckRestore),
        ("GET", ["backup", job, "pending"]) => Route::named(Operation::BackupStatus, job, None),
        ("GET", ["restore", job, "pending"]) => Route::named(Operation::RestoreStatus, job, None),
        ("PUT", ["keys", name, "restore"]) => {
            Route { kind: Some(Kind::Key), ..Route::named(Operation::StartKeyRestore, name, None) }
        }
        _ => vault(method, segments),
    }
}

/// What the service has in the place of a version and the emulator has not.
const BESIDE_VERSIONS: [&str; 5] = ["rotationpolicy", "policy", "attestation", "pending", "random"];

/// Whether the emulator knows what is at a path of a vault, so that a method which it has not is one that the service
/// refuses, too.
pub(crate) fn is_at_vault(method: &Method, path: &str) -> bool {
    let segments = segments(path);
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some((collection, rest)) = parts.split_first() else { return false };
    if collection.strip_prefix("deleted").and_then(Kind::from_collection).is_some() {
        return matches!(rest, [] | [_] | [_, "recover"]);
    }
    let Some(kind) = Kind::from_collection(collection) else { return false };
    match rest {
        ["issuers" | "contacts", ..] if kind == Kind::Certificate => false,
        [_] => !(kind == Kind::Key && method == Method::PUT), // an import
        [] | [_, "versions" | "backup"] => true,
        [_, "create"] => kind != Kind::Secret,
        [_, "pending"] => kind == Kind::Certificate,
        [_, version] => version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit()),
        _ => false,
    }
}

fn live_operation(method: &Method, kind: Kind, rest: &[&str]) -> Operation {
    if kind == Kind::Certificate && matches!(rest, ["issuers" | "contacts", ..]) {
        return Operation::Other;
    }
    match (method.as_str(), rest) {
        ("GET", []) => kind.list_operation(),
        ("POST", ["restore"]) => Operation::Restore,
        ("GET", [_, "versions"]) => Operation::ListVersions,
        ("POST", [_, "backup"]) => Operation::Backup,
        ("POST", [_, "create"]) if kind == Kind::Key => Operation::CreateKey,
        ("POST", [_, "create"]) if kind == Kind::Certificate => Operation::CreateCertificate,
        ("GET", [_, "pending"]) if kind == Kind::Certificate => Operation::GetPending,
        ("PATCH", [_, "pending"]) if kind == Kind::Certificate => Operation::CancelPending,
        ("DELETE", [_, "pending"]) if kind == Kind::Certificate => Operation::DeletePending,
        ("GET" | "PATCH", [_, part])
            if BESIDE_VERSIONS.iter().any(|word| word.eq_ignore_ascii_case(part)) =>
        {
            Operation::Other
        }
        ("GET", [_] | [_, _]) => Operation::GetObject,
        ("PUT", [_]) if kind == Kind::Secret => Operation::SetSecret,
        ("PATCH", [_] | [_, _]) => Operation::UpdateObject,
        ("DELETE", [_]) => Operation::DeleteObject,
        _ => Operation::Other,
    }
}

fn deleted_operation(method: &Method, rest: &[&str]) -> Operation {
    match (method.as_str(), rest) {
        ("GET", []) => Operation::ListDeleted,
        ("GET", [_]) => Operation::GetDeleted,
        ("POST", [_, "recover"]) => Operation::Recover,
        ("DELETE", [_]) => Operation::Purge,
        _ => Operation::Other,
    }
}

fn blob(method: &Method, path: &str, query: &Query) -> Route {
    let path = path.strip_prefix('/').unwrap_or(path);
    // A blob's name may contain slashes, plain or encoded, so only the first one divides.
    let (container, blob) = path.split_once('/').unwrap_or((path, ""));
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (container, blob) = (decode(container), decode(blob));
    if blob.is_empty() {
        let operation = container_operation(method, query);
        return Route::named(operation, &container, None);
    }
    Route::named(blob_operation(method, query), &container, Some(&blob))
}

fn container_operation(method: &Method, query: &Query) -> Operation {
    if !query.is("restype", "container") {
        return Operation::Other;
    }
    match (method.as_str(), query.get("comp")) {
        ("PUT", None) => Operation::CreateContainer,
        ("GET" | "HEAD", None) => Operation::GetContainer,
        ("DELETE", None) => Operation::DeleteContainer,
        ("GET", Some("list")) => Operation::ListBlobs,
        _ => Operation::Other,
    }
}

fn blob_operation(method: &Method, query: &Query) -> Operation {
    match (method.as_str(), query.get("comp")) {
        ("PUT", None) => Operation::PutBlob,
        ("PUT", Some("block")) => Operation::PutBlock,
        ("PUT", Some("blocklist")) => Operation::PutBlockList,
        ("GET", Some("blocklist")) => Operation::GetBlockList,
        ("PUT", Some("undelete")) => Operation::UndeleteBlob,
        ("PUT", Some("immutabilityPolicies")) => Operation::SetImmutabilityPolicy,
        ("DELETE", Some("immutabilityPolicies")) => Operation::DeleteImmutabilityPolicy,
        ("PUT", Some("legalhold")) => Operation::SetLegalHold,
        ("PUT", Some("metadata")) => Operation::SetBlobMetadata,
        ("GET", None) => Operation::GetBlob,
        ("HEAD", None | Some("metadata")) | ("GET", Some("metadata")) => Operation::GetBlobProperties,
        ("DELETE", None) => Operation::DeleteBlob,
        _ => Operation::Other,
    }
}

fn queue(method: &Method, segments: &[String], query: &Query) -> Route {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let metadata = query.is("comp", "metadata");
    let operation = match (method.as_str(), parts.as_slice()) {
        ("GET", []) if query.is("comp", "list") => Operation::ListQueues,
        ("PUT", [_]) if metadata => Operation::SetQueueMetadata,
        ("GET" | "HEAD", [_]) if metadata => Operation::GetQueue,
        ("PUT", [_]) if query.get("comp").is_none() => Operation::CreateQueue,
        ("DELETE", [_]) => Operation::DeleteQueue,
        ("POST", [_, "messages"]) => Operation::SendMessage,
        ("GET", [_, "messages"]) if query.is("peekonly", "true") => Operation::PeekMessages,
        ("GET", [_, "messages"]) => Operation::ReceiveMessages,
        ("DELETE", [_, "messages"]) => Operation::ClearMessages,
        ("PUT", [_, "messages", _]) => Operation::UpdateMessage,
        ("DELETE", [_, "messages", _]) => Operation::DeleteMessage,
        _ => Operation::Other,
    };
    Route {
        item: parts.get(2).map(|id| (*id).to_owned()),
        ..Route::named(operation, parts.first().copied().unwrap_or_default(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(service: Service, request: &str) -> Operation {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let method = method.parse::<Method>().unwrap();
        Route::of(service, &method, path, &Query::parse(query)).operation
    }

    #[test]
    fn vault_paths() {
        for (request, expected) in [
            ("GET /secrets", Operation::ListSecrets),
            ("GET /Keys/", Operation::ListKeys),
            ("GET /certificates/c/versions", Operation::ListVersions),
            ("GET /secrets/s/", Operation::GetObject),
            ("GET /secrets/s/0123", Operation::GetObject),
            ("POST /keys/restore", Operation::Restore),
            ("POST /keys/k/backup", Operation::Backup),
            ("PUT /keys/k", Operation::Other),
            ("DELETE /deletedkeys/k", Operation::Purge),
            ("POST /deletedsecrets/s/recover", Operation::Recover),
            ("GET /", Operation::Other),
            ("POST /certificates/c/create", Operation::CreateCertificate),
            ("GET /certificates/c/pending", Operation::GetPending),
            ("GET /certificates/c/policy", Operation::Other),
            ("GET /certificates/issuers/i", Operation::Other),
            ("GET /keys/k/rotationpolicy", Operation::Other),
        ] {
            assert_eq!(operation(Service::Vault, request), expected, "{request}");
        }
    }

    #[test]
    fn hsm_paths() {
        for (request, expected) in [
            ("POST /backup", Operation::StartBackup),
            ("PUT /restore", Operation::StartRestore),
            ("PUT /keys/k/restore", Operation::StartKeyRestore),
            ("POST /prebackup", Operation::CheckBackup),
            ("GET /restore/0123/pending", Operation::RestoreStatus),
            ("POST /keys/restore", Operation::Restore),
            ("GET /keys/k/versions", Operation::ListVersions),
            ("GET /backup", Operation::Other),
        ] {
            assert_eq!(operation(Service::Hsm, request), expected, "{request}");
        }
    }

    #[test]
    fn blob_paths() {
        for (request, expected) in [
            ("PUT /c?restype=container", Operation::CreateContainer),
            ("GET /c?restype=container&comp=list", Operation::ListBlobs),
            ("PUT /c/a/b", Operation::PutBlob),
            ("PUT /c/b?comp=block&blockid=MQ==", Operation::PutBlock),
            ("GET /c/b?comp=blocklist", Operation::GetBlockList),
            ("PUT /c/b?comp=undelete", Operation::UndeleteBlob),
            ("PUT /c/b?comp=tier", Operation::Other),
            ("GET /c", Operation::Other),
        ] {
            assert_eq!(operation(Service::Blob, request), expected, "{request}");
        }
        let route = Route::of(Service::Blob, &Method::GET, "/c/a%2Fb/%C3%BC", &Query::default());
        assert_eq!(route.object(), "c/a/b/ü");
    }

    #[test]
    fn queue_paths() {
        for (request, expected) in [
            ("PUT /q", Operation::CreateQueue),
            ("GET /q/messages", Operation::ReceiveMessages),
            ("GET /q/messages?peekonly=true", Operation::PeekMessages),
            ("DELETE /q/messages/1?popreceipt=x", Operation::DeleteMessage),
            ("HEAD /q?comp=metadata", Operation::GetQueue),
        ] {
            assert_eq!(operation(Service::Queue, request), expected, "{request}");
        }
    }
}

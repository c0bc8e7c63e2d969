//! What is not known is refused, never ignored.
//!
//! An emulator that drops a header or a parameter which it does not know says that something was done which was not.
//! So each operation lists here what it knows, and [`unknown`] names what a request has besides. There is no other
//! place where this is decided. What a service itself does not look at, and what is about the connection alone, is
//! not asked about.

use hyper::{HeaderMap, header::HeaderName};

use super::{
    call::Query,
    operation::{Operation, Service},
};

/// The headers and parameters that an operation knows, beside those of its service. A name that ends with `*` stands
/// for all that begin so.
struct Known {
    headers: &'static [&'static str],
    query: &'static [&'static str],
}

const fn known(headers: &'static [&'static str], query: &'static [&'static str]) -> Known {
    Known { headers, query }
}

/// Conditions about a blob. Those about tags and leases are not known.
macro_rules! conditional {
    ($($more:literal),*) => {
        &["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", $($more),*]
    };
}

/// Headers that decide what is done, beside `x-ms-*` and `if-*`.
const MEANINGFUL: [&str; 7] = [
    "range",
    "content-md5",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "prefer",
];

/// What a request asks for that its operation does not know, in words. The first of several. What has no operation is
/// refused by its route, whatever comes with it.
pub(crate) fn unknown(
    service: Service,
    operation: Operation,
    headers: &HeaderMap,
    query: &Query,
) -> Option<String> {
    if operation == Operation::Other {
        return None;
    }
    let (all, own) = (of_service(service), of_operation(operation));
    let knows_header = |name: &str| all.headers.iter().chain(own.headers).any(|known| fits(known, name));
    let knows_parameter =
        |name: &str| all.query.iter().chain(own.query).any(|known| known.eq_ignore_ascii_case(name));
    let decides =
        |name: &str| name.starts_with("x-ms-") || name.starts_with("if-") || MEANINGFUL.contains(&name);
    let header = headers.keys().map(HeaderName::as_str).find(|name| decides(name) && !knows_header(name));
    let parameter = query.names().find(|name| !knows_parameter(name));
    let words = |what: &str, name: &str| format!("the {what} {name} of this operation");
    let header = header.map(|name| words("header", name));
    let parameter = parameter.map(|name| words("query parameter", name));
    header.or(parameter).or_else(|| value(operation, headers, query))
}

fn fits(known: &str, name: &str) -> bool {
    known.strip_suffix('*').map_or(known == name, |start| name.starts_with(start))
}

const fn of_service(service: Service) -> Known {
    match service {
        Service::Blob | Service::Queue => known(
            &["x-ms-version", "x-ms-date", "x-ms-client-request-id", "x-ms-return-client-request-id"],
            &["comp", "timeout"],
        ),
        Service::Vault | Service::Hsm => {
            known(&["x-ms-client-request-id", "x-ms-return-client-request-id"], &["api-version"])
        }
        Service::Identity => known(
            &["x-ms-client-request-id", "x-ms-return-client-request-id"],
            &["api-version", "resource", "client_id"],
        ),
    }
}

const fn of_operation(operation: Operation) -> Known {
    match operation {
        Operation::ListSecrets | Operation::ListKeys | Operation::ListVersions | Operation::ListDeleted => {
            known(&[], &["maxresults", "$skiptoken"])
        }
        Operation::ListCertificates => known(&[], &["maxresults", "$skiptoken", "includePending"]),
        // The address of what is being made has the id of the request in it.
        Operation::GetPending => known(&[], &["request_id"]),

        Operation::CreateContainer => known(&["x-ms-meta-*"], &["restype"]),
        Operation::GetContainer | Operation::DeleteContainer => known(&[], &["restype"]),
        Operation::ListBlobs => {
            known(&[], &["restype", "prefix", "delimiter", "marker", "maxresults", "include", "startFrom"])
        }
        Operation::PutBlob => known(
            conditional!(
                "x-ms-blob-type",
                "x-ms-meta-*",
                "x-ms-immutability-policy-until-date",
                "x-ms-immutability-policy-mode",
                "x-ms-legal-hold",
                "x-ms-blob-content-type",
                "x-ms-blob-content-encoding",
                "x-ms-blob-content-md5",
                "content-md5",
                "x-ms-content-crc64",
                "x-ms-structured-body",
                "x-ms-structured-content-length"
            ),
            &[],
        ),
        // Properties of the source, its tags and its leases are not known.
        Operation::PutBlobFromUrl => known(
            conditional!(
                "x-ms-blob-type",
                "x-ms-meta-*",
                "x-ms-blob-content-type",
                "x-ms-copy-source",
                "x-ms-copy-source-authorization",
                "x-ms-copy-source-blob-properties",
                "x-ms-source-content-md5",
                "x-ms-source-if-match"
            ),
            &[],
        ),
        Operation::PutBlock => known(
            &["content-md5", "x-ms-content-crc64", "x-ms-structured-body", "x-ms-structured-content-length"],
            &["blockid"],
        ),
        Operation::PutBlockList => known(
            conditional!(
                "x-ms-meta-*",
                "x-ms-blob-content-type",
                "x-ms-blob-content-encoding",
                "x-ms-blob-content-md5",
                "content-md5",
                "x-ms-content-crc64"
            ),
            &[],
        ),
        Operation::GetBlockList => known(&[], &["blocklisttype"]),
        Operation::GetBlob => known(
            conditional!(
                "range",
                "x-ms-range",
                "x-ms-range-get-content-md5",
                "x-ms-range-get-content-crc64",
                "x-ms-structured-body"
            ),
            &["versionid"],
        ),
        Operation::GetBlobProperties => known(conditional!(), &["versionid"]),
        Operation::SetBlobMetadata => known(conditional!("x-ms-meta-*"), &[]),
        Operation::SetImmutabilityPolicy => {
            known(&["x-ms-immutability-policy-until-date", "x-ms-immutability-policy-mode"], &["versionid"])
        }
        Operation::DeleteImmutabilityPolicy => known(&[], &["versionid"]),
        Operation::SetLegalHold => known(&["x-ms-legal-hold"], &["versionid"]),
        Operation::DeleteBlob => known(conditional!("x-ms-delete-snapshots"), &["versionid"]),

        Operation::CreateQueue | Operation::SetQueueMetadata => known(&["x-ms-meta-*"], &[]),
        Operation::SendMessage => known(&[], &["messagettl", "visibilitytimeout"]),
        Operation::ReceiveMessages => known(&[], &["numofmessages", "visibilitytimeout", "peekonly"]),
        Operation::PeekMessages => known(&[], &["numofmessages", "peekonly"]),
        Operation::UpdateMessage => known(&[], &["popreceipt", "visibilitytimeout"]),
        Operation::DeleteMessage => known(&[], &["popreceipt"]),

        _ => known(&[], &[]),
    }
}

/// Values that are not known, of headers and parameters that are.
fn value(operation: Operation, headers: &HeaderMap, query: &Query) -> Option<String> {
    let header = |name: &'static str, values: &[&str]| {
        let given = headers.get(name)?.to_str().ok();
        let given = given.filter(|given| !values.iter().any(|value| value.eq_ignore_ascii_case(given)));
        given.map(|given| format!("the value {given} of the header {name}"))
    };
    match operation {
        Operation::PutBlob | Operation::PutBlobFromUrl => header("x-ms-blob-type", &["BlockBlob"]),
        Operation::GetBlob => header("x-ms-structured-body", &["XSM/1.0; properties=crc64"]),
        // There are no snapshots that could go alone.
        Operation::DeleteBlob => header("x-ms-delete-snapshots", &["include"]),
        Operation::ListBlobs => {
            let asked = query.get("include").unwrap_or_default();
            let parts = asked.split(',').map(str::trim).filter(|part| !part.is_empty());
            let known = ["metadata", "versions", "deleted", "immutabilitypolicy", "legalhold"];
            let mut unknown =
                parts.filter(|part| !known.iter().any(|known| known.eq_ignore_ascii_case(part)));
            unknown.next().map(|part| format!("include={part} of this operation"))
        }
        _ => None,
    }
}

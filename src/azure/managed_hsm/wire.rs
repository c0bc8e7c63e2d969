//! The wire form of requests.

use azure_core::http::Url;
use serde::Serialize;

use super::{error::Error, storage::StorageAuth, version::ServiceVersion};

/// The part that all requests share: the storage, and the HSM's authorization for it.
///
/// Without a managed identity, `useManagedIdentity` is `false` from 7.5 on (recorded with 7.6) and absent
/// before that (recorded from 7.2 to 7.4). With one there is no `token` (recorded).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage<'a> {
    #[serde(rename = "storageResourceUri")]
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_managed_identity: Option<bool>,
}

/// The body of a restore of everything, and of the check before it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Restore<'a> {
    sas_token_parameters: Storage<'a>,
    folder_to_restore: &'a str,
}

/// The body of a restore of one key, where the folder has another field name (recorded).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyRestore<'a> {
    sas_token_parameters: Storage<'a>,
    folder: &'a str,
}

impl<'a> Storage<'a> {
    pub(super) fn new(
        container: &Url,
        auth: &'a StorageAuth,
        version: ServiceVersion,
    ) -> Result<Self, Error> {
        let has_identity = version.has_managed_identity();
        let (token, identity) = match auth {
            StorageAuth::ManagedIdentity if has_identity => (None, Some(true)),
            StorageAuth::ManagedIdentity => {
                let text = format!("service version {version} knows no managed identity for storage");
                return Err(Error::NotSent(text));
            }
            StorageAuth::Sas(token) => (Some(token.reveal()), has_identity.then_some(false)),
        };
        Ok(Self { uri: uri(container)?, token, use_managed_identity: identity })
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, Error> {
        to_json(self)
    }

    pub(super) fn restore(self, folder: &str) -> Result<Vec<u8>, Error> {
        to_json(&Restore { sas_token_parameters: self, folder_to_restore: path(folder)? })
    }

    pub(super) fn key_restore(self, folder: &str) -> Result<Vec<u8>, Error> {
        to_json(&KeyRestore { sas_token_parameters: self, folder: path(folder)? })
    }
}

fn to_json(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|_| Error::NotSent("the request cannot be written as JSON".to_owned()))
}

/// The container's address without a slash at its end, and without a query, which might contain a token.
fn uri(container: &Url) -> Result<String, Error> {
    let names = container.path().trim_matches('/');
    if container.scheme() != "https" || container.host_str().is_none() || names.is_empty() {
        return Err(Error::NotSent("the container is not an https address of one".to_owned()));
    }
    let mut bare = container.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let (no_name, no_password) = (bare.set_username(""), bare.set_password(None));
    if no_name.is_err() || no_password.is_err() {
        return Err(Error::NotSent("the container is not an https address of one".to_owned()));
    }
    Ok(bare.as_str().trim_end_matches('/').to_owned())
}

fn path(folder: &str) -> Result<&str, Error> {
    let folder = folder.trim_matches('/');
    if folder.is_empty() { Err(Error::NotSent("the folder has no name".to_owned())) } else { Ok(folder) }
}

/// The path of a key's restore. A name with other characters could lead elsewhere.
pub(super) fn key_restore_path(key_name: &str) -> Result<String, Error> {
    let legal = (1..=127).contains(&key_name.len())
        && key_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if legal {
        Ok(format!("keys/{key_name}/restore"))
    } else {
        Err(Error::NotSent("a key's name has 1 to 127 letters, digits and hyphens".to_owned()))
    }
}

/// The path to poll a job. Built from the id, because an address from an answer could lead elsewhere.
pub(super) fn pending_path(kind: &str, job_id: &str) -> Result<String, Error> {
    if is_job_id(job_id) {
        Ok(format!("{kind}/{job_id}/pending"))
    } else {
        Err(Error::NotSent("a job id has letters, digits and hyphens".to_owned()))
    }
}

/// Whether a text is a job id. Recorded ids have 32 hexadecimal digits; a little more is accepted.
pub(super) fn is_job_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::{super::storage::SasToken, *};

    fn json(auth: &StorageAuth, version: ServiceVersion) -> String {
        let container = "https://a.blob.core.windows.net/c/?sig=hidden".parse().unwrap();
        let body = Storage::new(&container, auth, version).unwrap().to_json().unwrap();
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn bodies_follow_the_version() {
        let uri = r#""storageResourceUri":"https://a.blob.core.windows.net/c""#;
        let (identity, sas) = (StorageAuth::ManagedIdentity, StorageAuth::Sas(SasToken::new("?se=1")));
        assert_eq!(json(&identity, ServiceVersion::V7_6), format!(r#"{{{uri},"useManagedIdentity":true}}"#));
        assert_eq!(json(&sas, ServiceVersion::V7_2), format!(r#"{{{uri},"token":"?se=1"}}"#));
        let with_member = format!(r#"{{{uri},"token":"?se=1","useManagedIdentity":false}}"#);
        assert_eq!(json(&sas, ServiceVersion::V7_5), with_member);
    }

    #[test]
    fn what_could_lead_elsewhere_is_not_sent() {
        assert!(pending_path("backup", "../keys").is_err() && pending_path("backup", "").is_err());
        assert!(key_restore_path("a/b").is_err() && key_restore_path("key-1").is_ok());
        assert!(uri(&"http://a.blob.core.windows.net/c".parse().unwrap()).is_err());
        assert!(uri(&"https://a.blob.core.windows.net/".parse().unwrap()).is_err());
        assert!(path("//").is_err());
    }
}

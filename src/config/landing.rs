//! The setting of the container, and folders in it, for backups of Managed HSMs.

use url::Url;

use super::Reader;

/// A container, and the folders in it under which HSMs create the folders of their backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    container: Url,
    /// The folders with a slash at the end; empty for the container itself.
    prefix: String,
}

/// The prefix of the service's own folders. A setting that names such a folder names a backup by mistake.
const OF_A_BACKUP: &str = "mhsm-";

impl Landing {
    /// Reads the folders in the text of an address, because a parsed address has lost its `..` and `//`.
    fn parse(text: &str, address: &Url) -> Result<Self, String> {
        let path = text.trim().splitn(4, '/').nth(3).unwrap_or_default().trim_matches('/');
        let (name, folders) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
        for folder in folders.into_iter().flat_map(|folders| folders.split('/')) {
            judge(folder)?;
        }
        let mut container = address.clone();
        container.set_path(name);
        let prefix = folders.map(|folders| format!("{folders}/")).unwrap_or_default();
        Ok(Self { container, prefix })
    }

    /// The container without folders.
    pub fn container(&self) -> &Url {
        &self.container
    }

    /// The prefix of the names of blobs: the folders and a slash, or nothing.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The address for an HSM: the container with the folders.
    pub fn address(&self) -> Url {
        let mut address = self.container.clone();
        let path = format!("{}/{}", self.container.path(), self.prefix);
        address.set_path(path.trim_end_matches('/'));
        address
    }

    /// The path of an address in the container. `None` if it is elsewhere. Folders under another prefix count, because
    /// the setting may have changed.
    pub fn path_of<'a>(&self, address: &'a Url) -> Option<&'a str> {
        let name = self.container.path().trim_matches('/');
        let path =
            address.path().trim_start_matches('/').strip_prefix(name)?.strip_prefix('/')?.trim_matches('/');
        (address.host_str() == self.container.host_str() && !path.is_empty()).then_some(path)
    }
}

/// Refuses the name of a folder that needs encoding, and so differs between an address and the name of a blob, or that
/// is a backup.
fn judge(folder: &str) -> Result<(), String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=');
    if folder.to_ascii_lowercase().starts_with(OF_A_BACKUP) {
        return Err(format!("folder {folder} is a backup; name the folder that contains it"));
    }
    if folder.is_empty() || folder.ends_with('.') || !folder.bytes().all(legal) {
        return Err(
            "a folder after the container may have letters, digits, -, _, . and =, and no . at the end"
                .into(),
        );
    }
    Ok(())
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn landing(&mut self, name: &str, required: bool) -> Option<Landing> {
        let address = self.endpoint(name, |cloud| cloud.blob, required)?;
        let landing = Landing::parse(&(self.lookup)(name)?, &address);
        match landing {
            Ok(landing) => self.is_container(name, &landing.container).then_some(landing),
            Err(fault) => {
                self.fault(name, fault);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "https://landing.blob.core.windows.net";

    fn landing(path: &str) -> Result<Landing, Vec<String>> {
        let text = format!("{HOST}/{path}");
        let mut reader = Reader { lookup: |_: &str| Some(text.clone()), faults: Vec::new() };
        reader.landing("HSM", true).ok_or(reader.faults)
    }

    #[test]
    fn the_container_and_the_folders_are_told_apart() {
        for (path, prefix, told) in [
            ("hsms", "", "hsms"),
            ("hsms/", "", "hsms"),
            ("/hsms", "", "hsms"),
            ("hsms/prod", "prod/", "hsms/prod"),
            ("hsms/prod/team=a/v1.2_x/", "prod/team=a/v1.2_x/", "hsms/prod/team=a/v1.2_x"),
        ] {
            let landing = landing(path).unwrap();
            assert_eq!(landing.container().as_str(), format!("{HOST}/hsms"));
            assert_eq!((landing.prefix(), landing.address().as_str()), (prefix, &*format!("{HOST}/{told}")));
        }
    }

    #[test]
    fn what_is_no_folder_is_refused_and_the_setting_named() {
        for path in [
            "hsms//prod",
            "hsms/./prod",
            "hsms/prod/../other",
            "hsms/%2e%2e/other",
            "hsms/prod.",
            "hsms/a b",
            "hsms/a%20b",
            "hsms\\prod",
            "hsms/prod\\other",
            "hsms/prod?sig=hidden",
            "hsms/prod#part",
            "hsms/mhsm-hsm-a-2026112202000000",
            "hsms/prod/MHSM-hsm-a-2026112202000000",
            "Hsms/prod",
            "",
        ] {
            let faults = landing(path).unwrap_err();
            assert!(faults.len() == 1 && faults[0].starts_with("HSM: "), "{path}: {faults:?}");
            assert!(!faults[0].contains("hidden"), "{faults:?}");
        }
    }

    #[test]
    fn an_address_has_a_path_in_the_container_under_any_prefix() {
        let landing = landing("hsms/prod").unwrap();
        for (address, path) in [
            (format!("{HOST}/hsms/prod/mhsm-a-1"), Some("prod/mhsm-a-1")),
            (format!("{HOST}/hsms/mhsm-a-1/"), Some("mhsm-a-1")),
            (format!("{HOST}//hsms/prod/mhsm-a-1"), Some("prod/mhsm-a-1")),
            (format!("{HOST}/hsms"), None),
            (format!("{HOST}/hsms-2/mhsm-a-1"), None),
            ("https://other.blob.core.windows.net/hsms/prod/mhsm-a-1".to_owned(), None),
        ] {
            assert_eq!(landing.path_of(&address.parse().unwrap()), path, "{address}");
        }
    }
}

//! Reads single settings: their text, their bounds, and the fault of an unusable one.

use std::{fmt, str::FromStr};

use url::Url;

use crate::domain::{
    cloud::{CLOUDS, Cloud, name_in},
    object::NameError,
    source::Source,
};

/// The items of a list in a setting, which commas or spaces separate.
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty())
}

/// Reads settings one by one, and collects their faults.
pub(super) struct Reader<L> {
    pub(super) lookup: L,
    pub(super) faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn fault(&mut self, name: &str, text: impl fmt::Display) {
        self.faults.push(format!("{name}: {text}"));
    }

    pub(super) fn required(&mut self, name: &str, required: bool) -> Option<String> {
        let value = (self.lookup)(name);
        if value.is_none() && required {
            self.fault(name, "is not set");
        }
        value
    }

    /// The items of a setting that is a list.
    pub(super) fn parts(&self, name: &str) -> Vec<String> {
        parts(&(self.lookup)(name).unwrap_or_default()).map(str::to_owned).collect()
    }

    /// The sources that a setting names by their addresses. A setting without items is a fault: an app that backs up
    /// nothing must not report that all is well.
    pub(super) fn sources(
        &mut self,
        setting: &str,
        parse: impl Fn(&str) -> Result<Source, NameError>,
    ) -> Vec<Source> {
        let parts = self.parts(setting);
        if parts.is_empty() && (self.lookup)(setting).is_some() {
            self.fault(setting, "names nothing");
        }
        let mut sources: Vec<Source> = Vec::new();
        for part in parts {
            match parse(&part) {
                Ok(of) if sources.iter().any(|known| known.name() == of.name()) => {
                    self.fault(setting, format_args!("{} is there twice", of.name()));
                }
                Ok(of) => sources.push(of),
                Err(error) => self.fault(setting, error),
            }
        }
        sources
    }

    pub(super) fn endpoint(
        &mut self,
        name: &str,
        service: impl Fn(&Cloud) -> &'static str,
        required: bool,
    ) -> Option<Url> {
        let text = self.required(name, required)?;
        let url = Url::parse(&text).ok().filter(|url| {
            let host = url.host_str().unwrap_or_default();
            let known = name_in(host, &service).is_some();
            let bare = url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
            url.scheme() == "https" && url.port().is_none() && known && bare
        });
        if url.is_none() {
            self.fault(
                name,
                format_args!("expected https://ACCOUNT.{}, got something else", service(&CLOUDS[0])),
            );
        }
        url
    }

    pub(super) fn container(&mut self, name: &str, required: bool) -> Option<Url> {
        let url = self.endpoint(name, |cloud| cloud.blob, required)?;
        self.is_container(name, &url).then_some(url)
    }

    /// Whether an address is exactly that of a container. If not, that is a fault.
    pub(super) fn is_container(&mut self, name: &str, url: &Url) -> bool {
        let container = url.path().trim_matches('/');
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let legal = (3..=63).contains(&container.len()) && container.bytes().all(legal);
        if !legal {
            self.fault(name, "expected the name of a container after the host, as in https://ACCOUNT.blob.core.windows.net/backups");
        }
        legal
    }

    pub(super) fn number<T: FromStr + Copy + PartialOrd + fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let Some(text) = (self.lookup)(name) else { return default };
        match text.trim().parse::<T>() {
            Ok(number) if number >= least && number <= most => number,
            _ => {
                self.fault(name, format_args!("expected a whole number from {least} to {most}"));
                default
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a setting of a value, and returns it with the faults.
    fn read<T>(
        value: Option<&str>,
        of: impl FnOnce(&mut Reader<&dyn Fn(&str) -> Option<String>>) -> T,
    ) -> (T, Vec<String>) {
        let lookup = |_: &str| value.map(str::to_owned);
        let mut reader = Reader { lookup: &lookup as &dyn Fn(&str) -> Option<String>, faults: Vec::new() };
        let found = of(&mut reader);
        (found, reader.faults)
    }

    #[test]
    fn a_list_is_separated_by_commas_or_spaces_or_both() {
        for (text, expected) in [
            ("a b", &["a", "b"][..]),
            ("a,b", &["a", "b"]),
            (" a ,\n\tb, ", &["a", "b"]),
            ("a;b", &["a;b"]),
            (" , ", &[]),
            ("", &[]),
        ] {
            assert!(parts(text).eq(expected.iter().copied()), "{text:?}");
        }
    }

    #[test]
    fn a_number_is_within_its_bounds_or_the_default_and_a_fault() {
        for (value, expected, is_fault) in [
            (None, 7, false),
            (Some("1"), 1, false),
            (Some(" 30 "), 30, false),
            (Some("0"), 7, true),
            (Some("31"), 7, true),
            (Some("-1"), 7, true),
            (Some("1.5"), 7, true),
            (Some(""), 7, true),
            (Some("256"), 7, true),
        ] {
            let (found, faults) = read(value, |reader| reader.number("DAYS", 7_u8, 1, 30));
            assert_eq!((found, !faults.is_empty()), (expected, is_fault), "{value:?}");
            assert!(
                faults.iter().all(|fault| fault == "DAYS: expected a whole number from 1 to 30"),
                "{faults:?}"
            );
        }
    }

    #[test]
    fn a_token_goes_to_storage_alone_and_over_https_alone() {
        let container = "https://acct.blob.core.windows.net/backups";
        for (value, is_read) in [
            (container, true),
            ("https://acct.blob.core.windows.net/backups/", true),
            ("https://acct.blob.core.usgovcloudapi.net/backups", true),
            ("https://acct.blob.core.chinacloudapi.cn/backups", true),
            ("http://acct.blob.core.windows.net/backups", false),
            ("https://acct.blob.core.windows.net:8443/backups", false),
            ("https://user@acct.blob.core.windows.net/backups", false),
            ("https://acct.blob.core.windows.net/backups?sv=1", false),
            ("https://acct.blob.core.windows.net/backups#x", false),
            ("https://acct.queue.core.windows.net/backups", false),
            ("https://acct.blob.core.windows.net.evil.example/backups", false),
            ("https://evil.example/acct.blob.core.windows.net/backups", false),
            ("https://blob.core.windows.net/backups", false),
            ("acct.blob.core.windows.net/backups", false),
            ("", false),
        ] {
            let (found, faults) = read(Some(value), |reader| reader.container("BACKUPS", true));
            assert_eq!(
                (found.is_some(), faults.len()),
                (is_read, usize::from(!is_read)),
                "{value}: {faults:?}"
            );
            assert!(faults.iter().all(|fault| fault.starts_with("BACKUPS: expected ")), "{faults:?}");
        }
    }

    #[test]
    fn a_container_has_a_legal_name_and_nothing_after_it() {
        let of = |path: &str| {
            let url = format!("https://acct.blob.core.windows.net/{path}");
            read(Some(&url), |reader| reader.container("BACKUPS", true)).0.is_some()
        };
        let long = "a".repeat(63);
        for (path, is_legal) in [
            ("abc", true),
            ("ab", false),
            (&*long, true),
            (&*format!("{long}a"), false),
            ("key-vault-7", true),
            ("Backups", false),
            ("back_ups", false),
            ("backups/folder", false),
            ("", false),
        ] {
            assert_eq!(of(path), is_legal, "{path}");
        }
    }

    #[test]
    fn what_is_not_set_is_a_fault_only_where_it_is_needed() {
        for (required, expected) in [(true, &["X: is not set"][..]), (false, &[])] {
            let (found, faults) = read(None, |reader| reader.container("X", required));
            assert_eq!(
                (found, &faults[..]),
                (None, &expected.iter().map(|of| (*of).to_owned()).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn each_source_is_there_once_however_its_address_is_written() {
        let (a, b) = ("https://kv-a.vault.azure.net", "https://kv-b.vault.azure.net/");
        for (value, names, fault) in [
            (format!("{a}, {b}"), &["kv-a", "kv-b"][..], None),
            (format!("{a} {a}/"), &["kv-a"], Some("V: kv-a is there twice")),
            (format!("{a} https://KV-A.vault.azure.net"), &["kv-a"], Some("V: kv-a is there twice")),
            (" , ".to_owned(), &[], Some("V: names nothing")),
        ] {
            let (found, faults) = read(Some(&value), |reader| reader.sources("V", Source::vault));
            assert!(
                found.iter().map(|of| of.name().as_str()).eq(names.iter().copied()),
                "{value}: {found:?}"
            );
            assert_eq!(faults.first().map(String::as_str), fault, "{value}");
        }
        assert_eq!(read(None, |reader| reader.sources("V", Source::vault)), (Vec::new(), Vec::new()));
    }
}

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

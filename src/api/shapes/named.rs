//! Sources as requests name them: by name or by URL, in the fields of today and of earlier versions.

use std::str::FromStr;

use super::problem::{Problem, ProblemKind};
use crate::domain::{
    object::NameError,
    source::{Source, SourceName},
};

/// A vault or a Managed HSM as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By its name.
    Name(SourceName),
    /// By its URL.
    Url(Source),
}

impl Named {
    /// The source's name.
    pub fn name(&self) -> &SourceName {
        match self {
            Self::Name(name) => name,
            Self::Url(source) => source.name(),
        }
    }

    /// The source that a field names or, if it does not, the field that earlier versions had in its place.
    ///
    /// # Errors
    /// When both are given and name different sources.
    pub fn either(
        (field, named): (&str, Option<Self>),
        (old, formerly): (&str, Option<&SourceName>),
    ) -> Result<Option<Self>, Problem> {
        match (named, formerly) {
            (Some(named), Some(formerly)) if named.name() != formerly => {
                let detail = format!(
                    "`{field}` and `{old}` name different sources: expected one of them; `{field}` replaces `{old}`."
                );
                Err(Problem::new(ProblemKind::InvalidBody, detail))
            }
            (named, formerly) => Ok(named.or_else(|| formerly.cloned().map(Self::Name))),
        }
    }
}

impl FromStr for Named {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.starts_with("https://") { text.parse().map(Self::Url) } else { text.parse().map(Self::Name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_its_name_or_its_url() {
        for (text, expected) in [
            ("KV-a", Some("kv-a")),
            ("https://kv-a.vault.azure.net/", Some("kv-a")),
            ("https://hsm-a.managedhsm.azure.net", Some("hsm-a")),
            ("https://kv-a.vault.azure.net.evil", None),
            ("http://kv-a.vault.azure.net", None),
            ("kv_a", None),
        ] {
            let named = text.parse::<Named>().ok();
            assert_eq!(named.as_ref().map(|named| named.name().as_str()), expected, "{text}");
        }
    }

    #[test]
    fn an_earlier_field_counts_if_it_does_not_contradict() {
        for (named, formerly, expected) in [
            (Some("kv-a"), None, Ok(Some("kv-a"))),
            (None, Some("kv-a"), Ok(Some("kv-a"))),
            (Some("https://kv-a.vault.azure.net"), Some("KV-a"), Ok(Some("kv-a"))),
            (None, None, Ok(None)),
            (Some("kv-a"), Some("kv-b"), Err(())),
        ] {
            let formerly: Option<SourceName> = formerly.map(|name| name.parse().unwrap());
            let found = Named::either(
                ("source", named.map(|text: &str| text.parse().unwrap())),
                ("vault", formerly.as_ref()),
            );
            let found = found.map(|found| found.map(|named| named.name().to_string())).map_err(drop);
            assert_eq!(found, expected.map(|name: Option<&str>| name.map(str::to_owned)), "{named:?}");
        }
    }
}

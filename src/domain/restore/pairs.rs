//! Which source may be restored into which target.

use std::collections::BTreeSet;

use crate::domain::source::SourceName;

/// The pairs of source and target that callers of the HTTP API may restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pairs {
    /// Every source into every configured target.
    #[default]
    Every,
    /// These alone: the source, and the target.
    Only(BTreeSet<(SourceName, SourceName)>),
}

impl Pairs {
    /// Whether the source may be restored into the target.
    pub fn allow(&self, source: &SourceName, target: &SourceName) -> bool {
        match self {
            Self::Every => true,
            Self::Only(pairs) => pairs.contains(&(source.clone(), target.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_a_direction_and_what_is_not_listed_is_not_allowed() {
        let name = |text: &str| text.parse::<SourceName>().unwrap();
        let only = |pairs: &[(&str, &str)]| {
            Pairs::Only(pairs.iter().map(|(source, target)| (name(source), name(target))).collect())
        };
        for (pairs, source, target, allowed) in [
            (Pairs::Every, "kv-a", "kv-b", true),
            (only(&[]), "kv-a", "kv-a", false),
            (only(&[("kv-a", "kv-b")]), "kv-a", "kv-b", true),
            (only(&[("kv-a", "kv-b")]), "KV-A", "kv-B", true),
            (only(&[("kv-a", "kv-b")]), "kv-b", "kv-a", false),
            (only(&[("kv-a", "kv-b")]), "kv-a", "kv-a", false),
            (only(&[("kv-a", "kv-b"), ("kv-c", "kv-b")]), "kv-c", "kv-b", true),
        ] {
            assert_eq!(pairs.allow(&name(source), &name(target)), allowed, "{pairs:?} {source} {target}");
        }
    }
}

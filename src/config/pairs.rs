//! The setting of the pairs that may be restored.

use std::collections::BTreeSet;

use super::Reader;
use crate::domain::restore::Pairs;

/// The value that allows no pair. An empty value counts as not set.
const NONE: &str = "none";

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn pairs(&mut self) -> Pairs {
        const NAME: &str = "KEYVAULT_BACKUP_RESTORE_PAIRS";
        let Some(text) = (self.lookup)(NAME) else { return Pairs::Every };
        let parts = if text.trim() == NONE { Vec::new() } else { self.parts(NAME) };
        if parts.is_empty() && text.trim() != NONE {
            self.fault(NAME, "names nothing; `none` allows no pair");
        }
        let mut pairs = BTreeSet::new();
        for part in parts {
            let split = part.split_once('=').map(|(source, target)| (source.parse(), target.parse()));
            match split {
                Some((Ok(source), Ok(target))) => drop::<bool>(pairs.insert((source, target))),
                _ => self.fault(NAME, "expected SOURCE=TARGET, the names of vaults or HSMs, or none"),
            }
        }
        Pairs::Only(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::source::SourceName;

    fn read(value: Option<&str>) -> (Pairs, Vec<String>) {
        let mut reader = Reader { lookup: |_: &str| value.map(str::to_owned), faults: Vec::new() };
        let pairs = reader.pairs();
        (pairs, reader.faults)
    }

    #[test]
    fn what_is_set_allows_what_it_names_and_nothing_else() {
        let name = |text: &str| text.parse::<SourceName>().unwrap();
        let pair = |source, target| (name(source), name(target));
        assert_eq!(read(None), (Pairs::Every, Vec::new()));
        for (value, expected) in [
            ("none", vec![]),
            (" none ", vec![]),
            ("kv-a=kv-b", vec![pair("kv-a", "kv-b")]),
            ("KV-A=kv-b, kv-b=kv-b\nkv-a=kv-b", vec![pair("kv-a", "kv-b"), pair("kv-b", "kv-b")]),
        ] {
            assert_eq!(
                read(Some(value)),
                (Pairs::Only(expected.into_iter().collect()), Vec::new()),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_no_pair_is_a_fault_and_allows_nothing() {
        for wrong in
            [",", "kv-a", "kv-a=", "=kv-a", "kv-a=kv-b=kv-c", "kv-a=*", "none,", "none none", "kv-a=k"]
        {
            let (pairs, faults) = read(Some(wrong));
            assert_eq!(pairs, Pairs::Only([].into()), "{wrong}");
            assert!(
                faults.iter().all(|fault| fault.starts_with("KEYVAULT_BACKUP_RESTORE_PAIRS: ")),
                "{faults:?}"
            );
            assert!(!faults.is_empty(), "{wrong}");
        }
    }
}

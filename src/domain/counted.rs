//! Numbers with their nouns.

/// A number of things: `1 object`, `2 objects`.
pub fn counted(of: impl TryInto<u64>, noun: &str) -> String {
    match of.try_into().unwrap_or_default() {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_agrees_with_its_number() {
        let texts = [0_u32, 1, 2].map(|number| counted(number, "object"));
        assert_eq!(texts, ["0 objects", "1 object", "2 objects"]);
    }
}

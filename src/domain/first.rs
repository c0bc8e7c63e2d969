//! The first of several, in a text for people.

use std::fmt::Display;

/// The first items, at most `most`, and how many more there are: `a, b and 2 more`.
pub fn first_of<T: Display>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut items = items.into_iter();
    let named = items.by_ref().take(most).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    match items.count() {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_rest_counted() {
        for (items, text) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b"], "a, b"),
            (&["a", "b", "c"], "a, b and 1 more"),
            (&["a", "b", "c", "d"], "a, b and 2 more"),
        ] {
            assert_eq!(first_of(items, 2), text);
        }
    }
}

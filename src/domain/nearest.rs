//! The existing names nearest to a name that does not exist.

/// How many names are kept.
const MOST: usize = 3;

/// How many wanted names are compared: a caller who spells out a thousand needs to know what is wrong, not a thousand
/// answers.
const WANTED: usize = 3;

/// Keeps the items whose names are nearest to a wanted name.
#[derive(Debug)]
pub struct Nearest<T> {
    wanted: Vec<String>,
    found: Vec<(usize, T)>,
}

impl<T: Ord> Nearest<T> {
    /// Starts without items. In a wanted name `*` stands for any characters; case does not matter.
    pub fn to(wanted: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let wanted = wanted.into_iter().take(WANTED).map(|name| name.as_ref().to_ascii_lowercase());
        Self { wanted: wanted.collect(), found: Vec::new() }
    }

    /// Considers a name. `item` is what is kept of it.
    pub fn see(&mut self, name: &str, item: impl FnOnce() -> T) {
        let name = name.to_ascii_lowercase();
        let Some(far) = self.wanted.iter().map(|wanted| distance(wanted, &name)).min() else { return };
        if self.found.len() == MOST && self.found.last().is_some_and(|(most, _)| far > *most) {
            return;
        }
        let found = (far, item());
        if let Err(at) = self.found.binary_search(&found) {
            self.found.insert(at, found);
            self.found.truncate(MOST);
        }
    }

    /// The nearest items, at most three, the nearest first.
    pub fn found(self) -> Vec<T> {
        self.found.into_iter().map(|(_, item)| item).collect()
    }
}

/// How many letters have to be inserted, removed, changed, or swapped with their neighbour to turn one into the other.
/// What a `*` of the pattern stands for costs nothing.
fn distance(pattern: &str, name: &str) -> usize {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let mut rows = vec![(0..=name.len()).collect::<Vec<_>>()];
    for (i, &wanted) in pattern.iter().enumerate() {
        let above = &rows[i];
        let mut row = vec![above[0] + usize::from(wanted != b'*')];
        for (j, &is) in name.iter().enumerate() {
            let left = row[j];
            row.push(if wanted == b'*' {
                left.min(above[j + 1])
            } else {
                let mut least = (left + 1).min(above[j + 1] + 1).min(above[j] + usize::from(wanted != is));
                if i > 0 && j > 0 && pattern[i - 1] == is && wanted == name[j - 1] {
                    least = least.min(rows[i - 1][j - 1] + 1);
                }
                least
            });
        }
        rows.push(row);
    }
    rows[pattern.len()][name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_costs_one_and_what_a_star_stands_for_nothing() {
        for (pattern, name, far) in [
            ("", "", 0),
            ("db", "db", 0),
            ("db", "", 2),
            ("", "db", 2),
            ("secert-1", "secret-1", 1),
            ("db-pasword", "db-password", 1),
            ("db-passwrod*", "db-password-of-the-shop", 1),
            ("*-cert", "shop-cert", 0),
            ("*-crt", "shop-cert", 1),
            ("a*c*e", "abcde", 0),
            ("a*x*e", "abcde", 1),
            ("*", "anything", 0),
            ("db*", "db", 0),
            ("db-passwordd", "db-password", 1),
            ("d*b", "db", 0),
            ("ab", "ba", 1),
            ("abc", "cba", 2),
        ] {
            assert_eq!(distance(pattern, name), far, "{pattern} {name}");
        }
    }

    fn nearest<'n>(wanted: &[&str], names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
        let mut nearest = Nearest::to(wanted);
        names.into_iter().for_each(|name| nearest.see(name, || name));
        nearest.found()
    }

    #[test]
    fn the_nearest_three_come_the_nearest_first() {
        let names = ["signing", "db-user", "db-passwort", "DB-password", "cache", "db-password-2", "db"];
        assert_eq!(nearest(&["db-pasword"], names), ["DB-password", "db-passwort", "db-password-2"]);
        assert_eq!(nearest(&["sining", "cash"], names)[..2], ["signing", "cache"]);
        assert_eq!(nearest(&["db"], ["y", "x", "z", "w"]), ["w", "x", "y"], "of equals the first");
    }

    #[test]
    fn nothing_is_near_to_nothing() {
        assert!(nearest(&[], ["db"]).is_empty() && nearest(&["db"], []).is_empty());
        assert_eq!(nearest(&["db"], ["db", "db"]), ["db"], "each once");
    }
}

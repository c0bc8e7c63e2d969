//! Why objects of a job failed, summed up.

use super::outcome::Failure;

/// The most failures in a summary.
pub const MOST: usize = 5;

/// Objects that failed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How many there are.
    pub objects: u32,
    /// The first of their failures.
    pub failure: Failure,
}

/// Sums failures up by status and code: those of the most objects first, at most [`MOST`]. Of failures of as many
/// objects, the one that came first is first.
pub fn alike(failures: impl IntoIterator<Item = Failure>) -> Vec<Failed> {
    let mut found: Vec<Failed> = Vec::new();
    for failure in failures {
        let alike = |of: &&mut Failed| of.failure.code == failure.code && of.failure.status == failure.status;
        match found.iter_mut().find(alike) {
            Some(of) => of.objects += 1,
            None => found.push(Failed { objects: 1, failure }),
        }
    }
    found.sort_by_key(|of| std::cmp::Reverse(of.objects));
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(codes: &str) -> Vec<(u32, String, String)> {
        let failures = codes.split_whitespace().enumerate();
        let failures = failures.map(|(place, code)| Failure::ours(code, place.to_string()));
        alike(failures).into_iter().map(|of| (of.objects, of.failure.code, of.failure.text)).collect()
    }

    #[test]
    fn failures_are_counted_by_code_the_most_common_first_and_the_first_text_stands_for_all() {
        for (codes, expected) in [
            ("", vec![]),
            ("a b b", vec![(2, "b", "1"), (1, "a", "0")]),
            ("a b a b", vec![(2, "a", "0"), (2, "b", "1")]),
            (
                "a b c d e f f",
                vec![(2, "f", "5"), (1, "a", "0"), (1, "b", "1"), (1, "c", "2"), (1, "d", "3")],
            ),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(n, code, text)| (n, code.to_owned(), text.to_owned())).collect();
            assert_eq!(summed(codes), expected, "{codes}");
        }
    }

    #[test]
    fn one_code_with_two_statuses_is_two_failures() {
        let of = |status| Failure { status, ..Failure::ours("a", "") };
        assert_eq!(alike([of(Some(403)), of(None), of(Some(403))]).len(), 2);
    }
}

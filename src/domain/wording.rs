//! What a service's words say.
//!
//! The rule for every diagnosis: it rests on a code, or on any of several wordings that are known of the service; it quotes
//! the service's words whole; and it ends with what to do. Wordings differ in case, line ends, and in what stands between
//! brackets, such as an address in the middle of a sentence, so none of these is compared.

/// Whether a text has one of these wordings, which are given in lower case.
pub fn says(text: &str, wordings: &[&str]) -> bool {
    let plain = plain(text);
    wordings.iter().any(|wording| plain.contains(wording))
}

/// A text on one line, whole.
pub fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in lower case, without what stands between brackets, with single spaces.
fn plain(text: &str) -> String {
    let (mut plain, mut depth) = (String::with_capacity(text.len()), 0_usize);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.extend(c.to_lowercase()),
            _ => {}
        }
    }
    on_one_line(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wording_is_known_whatever_stands_between_and_however_it_is_written() {
        let known = ["client address is not authorized", "caller is not a trusted service"];
        for (text, expected) in [
            ("Client address is not authorized and caller", true),
            ("Client address (203.0.113.7) is not authorized", true),
            ("The CLIENT\r\naddress (x (y)) is  not authorized.", true),
            ("caller is not a trusted service", true),
            ("Client address (is not authorized)", false),
            ("the client is authorized", false),
            (") Client address is not authorized", true),
        ] {
            assert_eq!(says(text, &known), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_many_lines_is_quoted_whole_on_one() {
        assert_eq!(on_one_line("a\r\n  (b)\n"), "a (b)");
    }
}

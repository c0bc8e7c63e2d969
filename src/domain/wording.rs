//! Recognizes wordings in a service's texts.
//!
//! The rule for every diagnosis: it rests on a code, or on one of several known wordings of the service; it quotes the
//! service's text in full; and it ends with what to do. Wordings differ in case, line ends, and text in brackets, such
//! as an address in the middle of a sentence, so none of these is compared.

/// Whether a text has one of these wordings, which are in lower case.
pub fn says(text: &str, wordings: &[&str]) -> bool {
    let plain = plain(text);
    wordings.iter().any(|wording| plain.contains(wording))
}

/// The whole text on one line.
pub fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in lower case with single spaces, without anything in brackets.
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

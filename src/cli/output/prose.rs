//! Prose in lines.

/// A text as lines that begin with `indent`, broken only at spaces: a word that is too long has a line of its own.
pub fn wrapped(text: &str, width: Option<usize>, indent: &str) -> String {
    let lines = filled(text.split_whitespace(), width.map(|width| width.saturating_sub(indent.len())));
    lines.iter().flat_map(|line| [indent, line, "\n"]).collect()
}

/// Parts with spaces between them, in lines of at most `width`. No part is broken.
pub(super) fn filled<'a>(parts: impl Iterator<Item = &'a str>, width: Option<usize>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let fits = |line: &String| {
            width.is_none_or(|width| line.chars().count() + 1 + part.chars().count() <= width)
        };
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => line.extend([" ", part]),
            None => lines.push(part.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_at_spaces_alone() {
        let cases = [
            ("one two", None, "> one two\n"),
            ("one two", Some(9), "> one two\n"),
            ("one two", Some(8), "> one\n> two\n"),
            ("a-name-of-many-letters is whole", Some(10), "> a-name-of-many-letters\n> is whole\n"),
            ("", Some(10), ""),
        ];
        for (text, width, lines) in cases {
            assert_eq!(wrapped(text, width, "> "), lines, "{text} {width:?}");
        }
    }
}

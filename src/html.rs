//! Writing HTML: every text is escaped by the one type that writes it.

use std::fmt::{self, Write as _};

/// A text in HTML. Characters that cannot be seen, or that turn the direction of a line, are written as their numbers.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_hidden(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Markup while it is written. It takes markup that stands in this program, and anything else only as text.
#[derive(Debug, Default)]
pub struct Markup(String);

impl Markup {
    /// Adds markup of this program.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, which may stand in an element or in an attribute between double quotes.
    pub fn text(&mut self, text: impl fmt::Display) -> &mut Self {
        self.0.push_str(&Escaped(&text.to_string()).to_string());
        self
    }

    /// Adds text between markup.
    pub fn put(&mut self, before: &'static str, text: impl fmt::Display, after: &'static str) -> &mut Self {
        self.raw(before).text(text).raw(after)
    }

    /// Adds text in which backticks mark code.
    pub fn marked(&mut self, text: &str) -> &mut Self {
        for (number, part) in text.split('`').enumerate() {
            if number % 2 == 0 {
                self.text(part)
            } else {
                self.put("<code>", part, "</code>")
            };
        }
        self
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup_or_hides_anything() {
        for (text, expected) in [
            ("a & b", "a &amp; b"),
            ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
            ("\" onload='x", "&quot; onload=&#39;x"),
            ("pay\u{202e}fdp", "pay\\u{202e}fdp"),
            ("a\u{0}b\u{200b}c\r\n", "a\\u{0}b\\u{200b}c\\u{d}\\u{a}"),
            ("Schlüssel 鍵", "Schlüssel 鍵"),
        ] {
            assert_eq!(Escaped(text).to_string(), expected);
        }
    }

    #[test]
    fn what_is_not_of_this_program_is_text_wherever_it_stands() {
        let mut page = Markup::default();
        page.put("<p title=\"", "a\" onclick=\"b", "\">").put("<b>", "</b><script>", "</b></p>");
        page.marked(" `a<b` or c");
        let expected = "<p title=\"a&quot; onclick=&quot;b\"><b>&lt;/b&gt;&lt;script&gt;</b></p> <code>a&lt;b</code> or c";
        assert_eq!(page.finish(), expected);
    }
}

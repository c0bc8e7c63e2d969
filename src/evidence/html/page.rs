//! Writing the page of a report. Every text is escaped by [`Escaped`].

use std::fmt;

use crate::{domain::evidence::Section, html::Escaped};

/// A cell of a table.
pub(super) struct Cell {
    class: &'static str,
    text: String,
}

impl Cell {
    /// Text.
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self { class: "", text: text.to_string() }
    }

    /// A number, or something that stands in a column of numbers.
    pub(super) fn number(text: impl fmt::Display) -> Self {
        Self { class: "n", text: text.to_string() }
    }

    /// A day, a time, or a span of these: its words do not break.
    pub(super) fn when(text: impl fmt::Display) -> Self {
        Self { class: "d", text: text.to_string() }
    }

    /// A digest or another text that is copied, which may break anywhere.
    pub(super) fn code(text: impl fmt::Display) -> Self {
        Self { class: "c", text: text.to_string() }
    }

    /// Something that a reader must not overlook.
    pub(super) fn alarm(text: impl fmt::Display) -> Self {
        Self { class: "w", text: text.to_string() }
    }

    /// A number that a reader must not overlook unless it is zero.
    pub(super) fn count(number: u64) -> Self {
        Self { class: if number == 0 { "n" } else { "n w" }, text: number.to_string() }
    }
}

/// A page while it is written.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Adds markup of this program.
    pub(super) fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Adds a line of text in an element.
    pub(super) fn element(&mut self, name: &'static str, text: impl fmt::Display) {
        self.raw(&format!("<{name}>{}</{name}>\n", Escaped(&text.to_string())));
    }

    /// Begins a section.
    pub(super) fn section(&mut self, of: Section, about: &str) {
        self.raw(&format!("<h2 id=\"{}\">{}</h2>\n", of.anchor(), Escaped(of.title())));
        if !about.is_empty() {
            self.element("p", about);
        }
    }

    /// Adds a table, or, without rows, a sentence that says so. Columns of numbers end with `#`.
    pub(super) fn table<const N: usize>(&mut self, heads: [&str; N], rows: &[[Cell; N]], none: &str) {
        if rows.is_empty() {
            self.raw(&format!("<p class=\"none\">{}</p>\n", Escaped(none)));
            return;
        }
        self.raw("<table>\n<thead><tr>");
        for head in heads {
            let (text, class) = head.strip_suffix('#').map_or((head, ""), |text| (text, " class=\"n\""));
            self.raw(&format!("<th scope=\"col\"{class}>{}</th>", Escaped(text)));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.cell(cell);
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n");
    }

    fn cell(&mut self, Cell { class, text }: &Cell) {
        match *class {
            "" => self.raw(&format!("<td>{}</td>", Escaped(text))),
            "d" => {
                let word = |word: &str| format!("<span>{}</span>", Escaped(word));
                let words: Vec<_> = text.split(' ').map(word).collect();
                self.raw(&format!("<td class=\"d\">{}</td>", words.join(" ")));
            }
            class => self.raw(&format!("<td class=\"{class}\">{}</td>", Escaped(text))),
        }
    }

    /// Adds facts, each with its name. The one that is named is not to be overlooked.
    pub(super) fn facts(&mut self, facts: &[(&str, String)], alarm: Option<&str>) {
        self.raw("<table class=\"facts\">\n<tbody>\n");
        for (name, fact) in facts {
            let class = if alarm == Some(name) { " class=\"w\"" } else { "" };
            self.raw(&format!(
                "<tr><th scope=\"row\">{}</th><td{class}>{}</td></tr>\n",
                Escaped(name),
                Escaped(fact)
            ));
        }
        self.raw("</tbody>\n</table>\n");
    }

    /// Adds a link to a section.
    pub(super) fn link(&mut self, to: Section) {
        self.raw(&format!("<a href=\"#{}\">{}</a>", to.anchor(), Escaped(to.title())));
    }

    /// The text of the page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_rows_is_a_sentence() {
        let mut page = Page::default();
        page.table(["a", "b#"], &[], "Nothing <here>.");
        page.table(
            ["a", "b#"],
            &[[Cell::text("<"), Cell::count(1)], [Cell::when("< 1"), Cell::number("")]],
            "",
        );
        let text = page.finish();
        assert!(text.contains("<td class=\"d\"><span>&lt;</span> <span>1</span></td>"), "{text}");
        assert!(text.contains("<p class=\"none\">Nothing &lt;here&gt;.</p>"), "{text}");
        assert!(text.contains("<td>&lt;</td><td class=\"n w\">1</td>"), "{text}");
        assert!(text.contains("<th scope=\"col\" class=\"n\">b</th>"), "{text}");
    }
}

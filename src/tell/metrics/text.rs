//! The text form of OpenMetrics 1.0. What uses no more than gauges is read as the older text form of Prometheus too.

use std::fmt::{self, Write as _};

/// The unit of a family, which its name ends with.
pub(super) const SECONDS: Option<&str> = Some("seconds");

/// A value of a label, escaped.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                // A reader that splits at other ends of lines must not see one.
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A text while it is written. Its families follow each other whole.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a family of gauges.
    pub(super) fn family(&mut self, name: &'static str, unit: Option<&'static str>, help: &'static str) {
        self.line(format_args!("# TYPE {name} gauge"));
        if let Some(unit) = unit {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {help}"));
    }

    /// Adds a sample of the family that was begun last.
    pub(super) fn sample(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: i64) {
        let each = labels.iter().map(|(label, of)| format!("{label}=\"{}\"", Value(of)));
        let labels = each.collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        self.line(format_args!("{name}{labels} {value}"));
    }

    /// The text.
    pub(super) fn finish(mut self) -> String {
        self.line(format_args!("# EOF"));
        self.0
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.0.push_str(&line.to_string());
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_quotes_or_its_line() {
        for (value, expected) in [
            ("kv-prod", "kv-prod"),
            ("a\"} 1\nok 1", "a\\\"} 1\\nok 1"),
            ("a\\", "a\\\\"),
            ("a\r\u{b}\u{85}b", "a\u{fffd}\u{fffd}\u{fffd}b"),
            ("Schlüssel 鍵", "Schlüssel 鍵"),
        ] {
            let mut text = Exposition::default();
            text.family("age_seconds", SECONDS, "An age.");
            text.sample("age_seconds", &[("of", value), ("kind", "vault")], -1);
            let head = "# TYPE age_seconds gauge\n# UNIT age_seconds seconds\n# HELP age_seconds An age.\n";
            let sample = format!("age_seconds{{of=\"{expected}\",kind=\"vault\"}} -1\n");
            assert_eq!(text.finish(), format!("{head}{sample}# EOF\n"));
        }
    }
}

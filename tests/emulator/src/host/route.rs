//! Route templates: `backups/{*path}`, `restore/{vault}/{id?}`.

use percent_encoding::percent_decode_str;

/// A parsed template, without the prefix.
#[derive(Debug)]
pub(super) struct Route {
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        optional: bool,
    },
    /// The rest of the path, possibly nothing.
    CatchAll {
        name: String,
    },
}

impl Route {
    pub(super) fn parse(template: &str) -> Result<Self, String> {
        let parts: Vec<_> = template.split('/').filter(|part| !part.is_empty()).collect();
        let segments: Vec<_> = parts.iter().map(|part| Segment::parse(part)).collect::<Result<_, _>>()?;
        let early = segments.iter().rev().skip(1).any(|segment| matches!(segment, Segment::CatchAll { .. }));
        if early {
            Err(format!("route {template}: only the last segment may be a catch-all"))
        } else {
            Ok(Self { segments })
        }
    }

    /// The parameters of a path (without the prefix) that fits, decoded; an optional one that is missing is left out.
    pub(super) fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let mut parts = path.split('/').filter(|part| !part.is_empty()).map(decode);
        let mut parameters = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => drop(parts.next().filter(|part| part.eq_ignore_ascii_case(text))?),
                Segment::CatchAll { name } => {
                    parameters.push((name.clone(), parts.by_ref().collect::<Vec<_>>().join("/")));
                }
                Segment::Parameter { name, optional } => match parts.next() {
                    Some(value) => parameters.push((name.clone(), value)),
                    None if *optional => {}
                    None => return None,
                },
            }
        }
        parts.next().is_none().then_some(parameters)
    }

    /// Which of two templates that fit is meant: literals before parameters before a catch-all, from the left.
    pub(super) fn precedence(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter { .. } => 1,
            Segment::CatchAll { .. } => 2,
        };
        self.segments.iter().map(rank).collect()
    }
}

impl Segment {
    fn parse(part: &str) -> Result<Self, String> {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            let literal = !part.contains(['{', '}']);
            return if literal {
                Ok(Self::Literal(part.to_owned()))
            } else {
                Err(format!("route segment {part} is not played"))
            };
        };
        if name.contains([':', '=', '{']) {
            return Err(format!("route segment {part}: constraints and defaults are not played"));
        }
        if let Some(name) = name.strip_prefix('*') {
            return Ok(Self::CatchAll { name: name.trim_start_matches('*').to_owned() });
        }
        let plain = name.trim_end_matches('?');
        Ok(Self::Parameter { name: plain.to_owned(), optional: plain != name })
    }
}

#[cfg(test)]
mod tests {
    use super::Route;

    fn matched(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        Route::parse(template).unwrap().matches(path)
    }

    #[test]
    fn templates_match_as_in_aspnet() {
        let one = |name: &str, value: &str| Some(vec![(name.to_owned(), value.to_owned())]);
        assert_eq!(matched("backups/{*path}", "backups"), one("path", ""));
        assert_eq!(matched("backups/{*path}", "Backups/a/b%20c"), one("path", "a/b c"));
        assert_eq!(matched("restore/{vault}", "restore/kv"), one("vault", "kv"));
        assert_eq!(matched("restore/{vault}", "restore"), None);
        assert_eq!(matched("restore/{vault?}", "restore"), Some(vec![]));
        assert_eq!(matched("restore/{vault}", "restore/kv/more"), None);
        assert!(Route::parse("{*path}/more").is_err());
        assert!(Route::parse("{id:int}").is_err());
    }
}

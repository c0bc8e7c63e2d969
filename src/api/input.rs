//! Extractors for paths, queries and bodies, which name the field at fault.

use std::{fmt::Display, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use url::form_urlencoded;

use super::shapes::{
    field::present,
    named::Named,
    problem::{Problem, ProblemKind},
};
use crate::{app::App, domain::source::SourceName, query::nothing::nearest};

/// The segments of a path, as text; [`parse`] turns them into values.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unreadable = |_| Problem::new(ProblemKind::InvalidParameter, "The path cannot be decoded.");
        Path::from_request_parts(parts, state).await.map(|Path(segments)| Self(segments)).map_err(unreadable)
    }
}

/// Parses a path segment.
///
/// # Errors
/// A problem that names the parameter.
pub fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| Problem::parameter(name, &expected(&error.to_string())))
}

/// The query. `T` has `deny_unknown_fields`, so an unknown parameter is refused by name; only `code`, the function key,
/// is always allowed.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs.filter(|(name, _)| !name.eq_ignore_ascii_case("code")));
        let query = query.finish();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        let read = serde_path_to_error::deserialize(pairs);
        read.map(Self).map_err(|error| {
            Problem::new(
                ProblemKind::InvalidParameter,
                sentence(&error.path().to_string(), &error.inner().to_string()),
            )
        })
    }
}

/// A query without parameters, except the function key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A JSON body. `T` has `deny_unknown_fields`, so an unknown field is refused by name.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        read_json(&json_bytes(request, state).await?).map(Self)
    }
}

/// A JSON body of one of two kinds, told by the field `scope` or, as earlier versions did, by `hsm`. Both have
/// `deny_unknown_fields`.
pub enum HsmOr<H, T> {
    /// With one of the fields.
    Hsm(H),
    /// Without them.
    Other(T),
}

impl<H: DeserializeOwned, T: DeserializeOwned, S: Send + Sync> FromRequest<S> for HsmOr<H, T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(default, deserialize_with = "present")]
            scope: Option<IgnoredAny>,
            #[serde(default, deserialize_with = "present")]
            hsm: Option<IgnoredAny>,
        }
        let bytes = json_bytes(request, state).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Kind { scope: Some(_), .. } | Kind { hsm: Some(_), .. }) => read_json(&bytes).map(Self::Hsm),
            _ => read_json(&bytes).map(Self::Other),
        }
    }
}

async fn json_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "The body's media type is not application/json.";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = format!("A body may have {} bytes.", super::BODY_LIMIT);
            Problem::new(ProblemKind::BodyTooLarge, detail)
        } else {
            Problem::new(ProblemKind::InvalidBody, "The body did not arrive whole.")
        }
    })
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let invalid = |detail: String| Problem::new(ProblemKind::InvalidBody, detail);
    // A list would be read as the values of the fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(invalid("expected an object.".into()));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        if inner.is_data() {
            invalid(sentence(&path, &inner.to_string()))
        } else {
            invalid(format!("It is not JSON: line {}, column {}.", inner.line(), inner.column()))
        }
    })?;
    let rest = |_| invalid("There is something after the JSON value.".into());
    json.end().map_err(rest).map(|()| read)
}

/// A sentence that says what is wrong, and where. A decoder's text may repeat values, which may hold anything: only
/// field names and the expectation are kept.
fn sentence(path: &str, text: &str) -> String {
    let named = ["unknown field", "missing field", "duplicate field"].iter().any(|of| text.starts_with(of));
    let fault = if named { cut(text) } else { expected(text) };
    match cut(path).as_str() {
        "." | "" => format!("{fault}."),
        path => format!("`{path}`: {fault}."),
    }
}

/// The part of an error's text that says what was expected.
fn expected(text: &str) -> String {
    text.rfind("expected ").map_or_else(|| "expected something else".into(), |at| cut(&text[at..]))
}

/// Cuts a text to one line of at most 300 characters, without the position that the JSON parser appends.
fn cut(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Parses the name of a configured source.
///
/// # Errors
/// A problem that names the parameter, or says how to add a source.
pub fn source(app: &App, parameter: &str, text: &str) -> Result<SourceName, Problem> {
    let name = parse(parameter, text)?;
    configured(app, &name).map(|()| name)
}

/// The name of a configured source that a request names.
///
/// # Errors
/// As [`configured`], also when only a source of another cloud or kind has the name in the URL.
pub fn known(app: &App, named: &Named) -> Result<SourceName, Problem> {
    configured(app, named.name())?;
    let config = app.config();
    match named {
        Named::Url(url) if !config.vaults.iter().chain(&config.hsm.hsms).any(|source| source == url) => {
            let detail = format!("{url} is not a source of this app, which has another one of that name.");
            Err(Problem::new(ProblemKind::UnknownSource, detail))
        }
        Named::Url(_) | Named::Name(_) => Ok(named.name().clone()),
    }
}

/// Refuses a source that is not configured.
///
/// # Errors
/// A problem that says how to add a source.
pub fn configured(app: &App, name: &SourceName) -> Result<(), Problem> {
    app.vault(name).map(drop).map_err(|_| {
        let nearest = nearest(name.as_str(), app.sources().into_iter().map(ToString::to_string)).join(", ");
        let detail =
            format!("{name} is not a vault of this app. Of those that are, nearest in name: {nearest}.");
        Problem::new(ProblemKind::UnknownSource, detail)
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Eq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        name: String,
        #[serde(default)]
        count: u8,
    }

    fn read(body: &str) -> Result<Order, String> {
        read_json(body.as_bytes()).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn a_body_at_fault_is_told_where_and_what_was_expected() {
        for (body, detail) in [
            (r#"{"name":"a","cuont":1}"#, "unknown field `cuont`, expected `name` or `count`."),
            (r#"{"count":1}"#, "missing field `name`."),
            (r#"{"name":"a","name":"b"}"#, "duplicate field `name`."),
            (r#"{"name":"a","count":"seven"}"#, "`count`: expected u8."),
            (r#"{"name":"a","count":256}"#, "`count`: expected u8."),
            (r#"{"name":7}"#, "`name`: expected a string."),
            (r#"{"name":"a""#, "It is not JSON: line 1, column 11."),
            ("", "It is not JSON: line 1, column 0."),
            ("{\n\"name\": }", "It is not JSON: line 2, column 9."),
            (r#"{"name":"a"} {}"#, "There is something after the JSON value."),
            (r#" ["a"]"#, "expected an object."),
        ] {
            let found = read(body).unwrap_err();
            assert!(found == detail || found.ends_with(detail), "{body}: {found}");
        }
        assert_eq!(read(r#" {"name":"a"} "#), Ok(Order { name: "a".into(), count: 0 }));
    }

    proptest! {
        /// A value may be a secret that was sent to the wrong field.
        #[test]
        fn no_answer_repeats_a_value(secret in "[A-Z]{12}[ \"]?expect[A-Z]{6}") {
            let quoted = serde_json::to_string(&secret).unwrap();
            for body in [format!(r#"{{"name":"a","count":{quoted}}}"#), quoted.clone(), format!(r#"{{"name":[{quoted}]}}"#)] {
                let detail = read(&body).unwrap_err();
                prop_assert!(!detail.contains(&secret[..12]), "{}: {}", body, detail);
            }
        }

        #[test]
        fn what_is_told_is_one_short_line(text in "(?s).{0,700}", path in "(?s).{0,700}") {
            let told = sentence(&path, &format!("expected {text}"));
            prop_assert!(!told.contains(char::is_control));
            prop_assert!(told.chars().count() <= 610);
            prop_assert!(told.ends_with('.'));
        }
    }

    #[test]
    fn a_long_text_is_cut_to_300_characters_and_one_position() {
        for (text, expected) in [
            ("expected a number at line 3 column 4".to_owned(), "expected a number".to_owned()),
            ("a\nb\u{1b}[1m".to_owned(), "ab[1m".to_owned()),
            ("ü".repeat(301), "ü".repeat(300)),
            ("ü".repeat(300), "ü".repeat(300)),
        ] {
            assert_eq!(cut(&text), expected);
        }
        assert_eq!(expected("invalid value: string \"x\", expected one of a, b"), "expected one of a, b");
        assert_eq!(expected("no words"), "expected something else");
    }

    fn request(media_type: Option<&str>) -> Request {
        let request = Request::builder().method("POST").uri("/x");
        let request = media_type.into_iter().fold(request, |request, of| request.header(CONTENT_TYPE, of));
        request.body(Body::from(r#"{"name":"a"}"#)).unwrap()
    }

    #[tokio::test]
    async fn only_json_is_read_as_json() {
        for (media_type, is_read) in [
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("application/json ;charset=utf-8"), true),
            (Some("application/problem+json"), false),
            (Some("application/jsonp"), false),
            (Some("text/plain"), false),
            (Some(""), false),
            (None, false),
        ] {
            let read = JsonBody::<Order>::from_request(request(media_type), &()).await;
            assert_eq!(read.is_ok(), is_read, "{media_type:?}");
        }
    }

    #[tokio::test]
    async fn a_query_may_have_the_function_key_and_what_is_known() {
        for (query, accepted) in [
            ("", true),
            ("?code=key", true),
            ("?Code=key", true),
            ("?name=a&code=key", true),
            ("?name=a&count=7", true),
            ("?name=a&nmae=b", false),
            ("?name=a&count=x", false),
        ] {
            let uri = format!("/x{query}");
            let (mut parts, ()) = axum::http::Request::builder().uri(&uri).body(()).unwrap().into_parts();
            let read = Parameters::<Order>::from_request_parts(&mut parts, &()).await;
            let needs_name = !query.contains("name=");
            assert_eq!(read.is_ok(), accepted && !needs_name, "{uri}");
            let nothing = Parameters::<Nothing>::from_request_parts(&mut parts, &()).await;
            assert_eq!(nothing.is_ok(), needs_name, "{uri}");
        }
    }
}

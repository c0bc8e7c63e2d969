//! Output bindings: queue messages and HTTP responses out of `Outputs`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    HttpAnswer, Inner,
    function::{Function, Output},
};

impl Inner {
    /// Sends what the queue bindings are to send, one after the other.
    pub(super) fn bind_outputs(&self, function: &Function, outputs: &Value) {
        let Some(outputs) = outputs.as_object() else { return };
        for output in &function.outputs {
            let Output::Queue { binding, queue, binary } = output else { continue };
            for message in member(outputs, binding).into_iter().flat_map(|value| messages(value, *binary)) {
                let text = if self.settings.queues.base64 {
                    BASE64_STANDARD.encode(message)
                } else {
                    String::from_utf8_lossy(&message).into_owned()
                };
                self.queues.send(queue, &text);
            }
        }
    }
}

/// A member of an object, whatever the case of its name.
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The messages a value stands for: each element of a list is one. A string is looked into, unless the binding is binary:
/// one that looks like JSON is parsed, and one that happens to be base64 is decoded.
fn messages(value: &Value, binary: bool) -> Vec<Vec<u8>> {
    let one = |value: &Value| bytes(value);
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().map(one).collect(),
        Value::String(text) if looks_like_json(text) => match serde_json::from_str(text) {
            Ok(Value::Array(values)) => values.iter().map(one).collect(),
            Ok(value) => vec![one(&value)],
            Err(_) => vec![text.clone().into_bytes()],
        },
        Value::String(text) if !binary => {
            vec![BASE64_STANDARD.decode(text).unwrap_or_else(|_| text.clone().into_bytes())]
        }
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![one(value)],
    }
}

fn looks_like_json(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with('{') && text.ends_with('}')) || (text.starts_with('[') && text.ends_with(']'))
}

fn bytes(value: &Value) -> Vec<u8> {
    text(value).into_bytes()
}

/// `ToString` of a value: a string as it is, JSON indented, .NET's booleans.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => format!("{value:#}"),
    }
}

/// The HTTP response of a function that is not forwarded. Without a value for its binding the caller gets `{}`.
pub(super) fn response(outputs: &Value, binding: &str) -> HttpAnswer {
    let response = outputs
        .as_object()
        .and_then(|outputs| member(outputs, binding))
        .filter(|response| !response.is_null());
    let Some(response) = response else { return answer(200, Vec::new(), "{}".into()) };
    let Some(response) = response.as_object() else { return answer(200, Vec::new(), text(response)) };
    let status = member(response, "statusCode").and_then(|status| text(status).parse().ok()).unwrap_or(200);
    let headers = member(response, "headers").and_then(Value::as_object);
    let headers =
        headers.into_iter().flatten().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect();
    answer(status, headers, member(response, "body").map(text).unwrap_or_default())
}

/// Plain text, unless a header says otherwise.
fn answer(status: u16, mut headers: Vec<(String, String)>, body: String) -> HttpAnswer {
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".into(), "text/plain; charset=utf-8".into()));
    }
    HttpAnswer { status, headers, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(value: &Value, binary: bool) -> Vec<String> {
        messages(value, binary)
            .into_iter()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    #[test]
    fn values_fan_out_as_the_host_does_it() {
        assert_eq!(texts(&json!(["a", 1, { "b": 2 }]), false), ["a", "1", "{\n  \"b\": 2\n}"]);
        assert_eq!(texts(&json!({ "b": [] }), false), ["{\n  \"b\": []\n}"]);
        assert_eq!(texts(&json!("[1,\"x\"]"), false), ["1", "x"]);
        assert_eq!(texts(&json!("{\"b\":2}"), false), ["{\n  \"b\": 2\n}"]);
        assert_eq!(texts(&json!("plain text"), false), ["plain text"]);
        assert_eq!(texts(&json!("eHl6"), false), ["xyz"]);
        assert_eq!(texts(&json!("eHl6"), true), ["eHl6"]);
        assert_eq!(messages(&json!("mysecret"), false), [BASE64_STANDARD.decode("mysecret").unwrap()]);
        assert_eq!(texts(&Value::Null, false), Vec::<String>::new());
    }

    #[test]
    fn a_response_has_the_hosts_defaults() {
        let plain = response(&json!({}), "res");
        assert_eq!((plain.status, plain.body.as_slice()), (200, b"{}".as_slice()));
        let full = json!({ "res": { "statusCode": "202", "status": 500, "body": { "a": 1 }, "headers": { "X-Count": 3 } } });
        let full = response(&full, "res");
        assert_eq!((full.status, full.body.as_slice()), (202, b"{\n  \"a\": 1\n}".as_slice()));
        assert_eq!(full.header("x-count"), Some("3"));
        assert_eq!(full.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}

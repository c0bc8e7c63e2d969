//! The bodies the host posts to a function: `{"Data": …, "Metadata": …}`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    QueueMessage,
    http::{Auth, Call},
};

/// Binding data: its keys are the same whatever their case, and a later value replaces an earlier one under the earlier one's spelling.
struct BindingData {
    entries: Vec<(String, Value)>,
}

impl BindingData {
    fn new(function: &str, now: OffsetDateTime) -> Self {
        let sys =
            json!({ "MethodName": function, "UtcNow": utc(now), "RandGuid": Uuid::new_v4().to_string() });
        Self { entries: vec![("sys".into(), sys)] }
    }

    fn set(&mut self, name: &str, value: Value) {
        match self.entries.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = value,
            None => self.entries.push((name.to_owned(), value)),
        }
    }

    /// A scalar: it travels as JSON text in a JSON string.
    fn scalar(&mut self, name: &str, value: &Value) {
        self.set(name, twice(value));
    }

    /// Adds the properties of a body that is a JSON object, over whatever is there: `id` of a message hides the message's own.
    ///
    /// Lists and nulls are left out. Newtonsoft would also rewrite strings that look like dates; that is not played.
    fn apply(&mut self, body: &str) {
        let Ok(Value::Object(properties)) = serde_json::from_str(body) else { return };
        for (name, value) in &properties {
            match value {
                Value::Null | Value::Array(_) => {}
                Value::Object(_) => self.set(name, value.clone()),
                Value::String(_) => self.scalar(name, value),
                Value::Number(number) => self.scalar(name, &number.to_string().into()),
                Value::Bool(flag) => self.scalar(name, &if *flag { "True" } else { "False" }.into()),
            }
        }
    }

    /// Keys that end in "trigger" are never sent.
    fn metadata(self) -> Value {
        let sent =
            self.entries.into_iter().filter(|(name, _)| !name.to_ascii_lowercase().ends_with("trigger"));
        Value::Object(sent.collect::<Map<_, _>>())
    }
}

/// A timer's body. Here the data is an object, in .NET's spelling.
pub(super) fn timer(
    function: &str,
    binding: &str,
    now: OffsetDateTime,
    info: &Value,
    retry_context: Option<Value>,
) -> Value {
    let mut data = BindingData::new(function, now);
    if let Some(context) = retry_context {
        data.set("RetryContext", context);
    }
    json!({ "Data": { binding: info }, "Metadata": data.metadata() })
}

/// A queue message's body. `body` is the message without its base64 layer.
pub(super) fn queue(
    function: &str,
    (binding, binary): (&str, bool),
    now: OffsetDateTime,
    message: &QueueMessage,
    body: &[u8],
) -> Value {
    let text = String::from_utf8_lossy(body);
    let mut data = BindingData::new(function, now);
    data.scalar("DequeueCount", &message.dequeue_count.into());
    data.set("ExpirationTime", whole_seconds(message.expiration).into());
    data.scalar("Id", &message.id.as_str().into());
    data.set("InsertionTime", whole_seconds(message.insertion).into());
    data.set("NextVisibleTime", whole_seconds(message.next_visible).into());
    data.scalar("PopReceipt", &message.pop_receipt.as_str().into());
    let value = if binary {
        // Bytes become base64, once.
        Value::String(BASE64_STANDARD.encode(body))
    } else {
        data.apply(&text);
        twice(&text.into())
    };
    json!({ "Data": { binding: value }, "Metadata": data.metadata() })
}

/// The body of an HTTP call that is not forwarded.
pub(super) fn http(function: &str, binding: &str, now: OffsetDateTime, call: &Call, auth: Auth) -> Value {
    let query = joined(call.query());
    let mut data = BindingData::new(function, now);
    let body = call.text();
    if let Some(body) = &body {
        data.apply(body);
    }
    let strings = |map: &Map<String, Value>| Value::Object(map.clone());
    for (name, value) in &query {
        data.scalar(name, value);
    }
    for (name, value) in &call.parameters {
        data.scalar(name, &value.as_str().into());
    }
    let headers = joined(call.headers.iter().cloned());
    data.set("Query", strings(&query));
    data.set("Headers", strings(&headers));
    let lists: Map<_, _> = headers.into_iter().map(|(name, value)| (name, json!([value]))).collect();
    let parameters: Map<_, _> =
        call.parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let mut request = json!({
        "Url": call.url.as_str(), "Method": call.method, "Query": query, "Headers": lists,
        "Params": parameters, "Identities": [identity(auth)],
    });
    if let Some(body) = body {
        request["Body"] = body.into();
    }
    json!({ "Data": { binding: request }, "Metadata": data.metadata() })
}

fn identity(auth: Auth) -> Value {
    json!({
        "AuthenticationType": "WebJobsAuthLevel", "IsAuthenticated": true, "Actor": null, "BootstrapContext": null,
        "Claims": [{
            "Issuer": "LOCAL AUTHORITY", "OriginalIssuer": "LOCAL AUTHORITY", "Properties": {},
            "Type": "http://schemas.microsoft.com/2017/07/functions/claims/authlevel",
            "Value": match auth { Auth::Anonymous => "Anonymous", Auth::Function => "Function", Auth::Admin => "Admin" },
            "ValueType": "http://www.w3.org/2001/XMLSchema#string",
        }],
        "Label": null, "Name": null,
        "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    })
}

/// Repeated names become one value with commas.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        let value = match map.get(&name).and_then(Value::as_str) {
            Some(first) => format!("{first},{value}"),
            None => value,
        };
        map.insert(name, value.into());
    }
    map
}

/// JSON text in a JSON string: the host's form of everything that is neither an object nor a date.
fn twice(value: &Value) -> Value {
    Value::String(value.to_string())
}

/// A `DateTimeOffset` after the host's conversion: no fraction.
fn whole_seconds(moment: OffsetDateTime) -> String {
    format!("{}+00:00", seconds(moment))
}

/// A `DateTime` in UTC: up to seven digits.
fn utc(moment: OffsetDateTime) -> String {
    format!("{}{}Z", seconds(moment), fraction(moment))
}

/// A `DateTime` in local time, on a machine that runs in UTC: up to seven digits.
pub(super) fn local(moment: OffsetDateTime) -> String {
    format!("{}{}+00:00", seconds(moment), fraction(moment))
}

fn seconds(moment: OffsetDateTime) -> String {
    let at = moment.to_offset(time::UtcOffset::UTC);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month))
}

fn fraction(moment: OffsetDateTime) -> String {
    let digits = format!(".{:07}", moment.nanosecond() / 100);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn message() -> QueueMessage {
        QueueMessage {
            id: "800ae4b3-bdd2-4c08-badd-f08e5a34b865".into(),
            pop_receipt: "AgAAAAMAAAA=".into(),
            dequeue_count: 1,
            insertion: datetime!(2026-08-22 02:00:05.25 UTC),
            expiration: datetime!(2026-08-29 02:00:05.25 UTC),
            next_visible: datetime!(2026-08-22 02:10:06.1 UTC),
            text: String::new(),
        }
    }

    const NOW: OffsetDateTime = datetime!(2026-08-22 02:00:06.220_539_9 UTC);

    #[test]
    fn a_queue_message_is_encoded_twice_and_its_properties_join_the_metadata() {
        let body = br#"{"vault":"kv-prod","count":3,"deep":{"a":1},"list":[1],"none":null,"done":true}"#;
        let envelope = queue("backUp", ("job", false), NOW, &message(), body);
        let text = envelope["Data"]["job"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<String>(text).unwrap().as_bytes(), body);
        let mut metadata = envelope["Metadata"].clone();
        assert!(metadata["sys"]["RandGuid"].take().is_string());
        assert_eq!(
            metadata,
            json!({
                "DequeueCount": "1", "Id": "\"800ae4b3-bdd2-4c08-badd-f08e5a34b865\"", "PopReceipt": "\"AgAAAAMAAAA=\"",
                "InsertionTime": "2026-08-22T02:00:05+00:00", "ExpirationTime": "2026-08-29T02:00:05+00:00",
                "NextVisibleTime": "2026-08-22T02:10:06+00:00",
                "sys": { "MethodName": "backUp", "UtcNow": "2026-08-22T02:00:06.2205399Z", "RandGuid": null },
                "vault": "\"kv-prod\"", "count": "\"3\"", "deep": { "a": 1 }, "done": "\"True\"",
            })
        );
    }

    #[test]
    fn a_message_can_hide_what_the_host_knows_about_it() {
        let envelope =
            queue("f", ("job", false), NOW, &message(), br#"{"id":"mine","dequeuecount":9,"myTrigger":"x"}"#);
        assert_eq!(envelope["Metadata"]["Id"], "\"mine\"");
        assert_eq!(envelope["Metadata"]["DequeueCount"], "\"9\"");
        assert_eq!(envelope["Metadata"].get("myTrigger"), None);
    }

    #[test]
    fn plain_text_and_bytes_have_their_own_forms() {
        assert_eq!(queue("f", ("job", false), NOW, &message(), b"abc")["Data"]["job"], "\"abc\"");
        assert_eq!(queue("f", ("job", true), NOW, &message(), b"abc")["Data"]["job"], "YWJj");
    }

    #[test]
    fn times_have_at_most_seven_digits() {
        assert_eq!(
            local(datetime!(2026-08-21 02:00:00.010_541_987 UTC)),
            "2026-08-21T02:00:00.0105419+00:00"
        );
        assert_eq!(local(datetime!(2026-08-22 04:00 +2)), "2026-08-22T02:00:00+00:00");
        assert_eq!(utc(datetime!(2026-08-22 02:00:00.004_275 UTC)), "2026-08-22T02:00:00.004275Z");
        assert_eq!(local(datetime!(0001-01-01 00:00 UTC)), "0001-01-01T00:00:00+00:00");
    }
}

//! Messages in the forms of their receivers.
//!
//! - Teams: a workflow with the trigger "When a Teams webhook request is received" takes a message whose attachments are
//!   Adaptive Cards, and no older card
//!   (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>). Names and
//!   texts of services stand in text runs alone, in which markdown has no meaning
//!   (<https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run>).
//! - Slack: a text for previews, and blocks of plain text. The three characters of Slack's own markup are escaped
//!   (<https://docs.slack.dev/messaging/formatting-message-text>,
//!   <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
//! - JSON: all fields. The form has a version; fields may be added to it.

use serde_json::{Value, json};

use super::{Form, Notice, Severity};
use crate::domain::{counted::counted, moment::minute};

/// The version of the JSON form.
const JSON_FORM: u32 = 1;

/// Notices that a chat shows one by one; more are counted. Teams takes 28 KB in a message, Slack 50 blocks.
const SHOWN: usize = 10;

/// The most characters of a text in a message of several notices.
const SHORT: usize = 300;

/// The message with these notices. `from` names the installation.
pub fn body(form: Form, notices: &[Notice], from: Option<&str>) -> Value {
    match form {
        Form::Teams => teams(notices, from),
        Form::Slack => slack(notices, from),
        Form::Json => json!({
            "version": JSON_FORM,
            "program": "keyvault-backup",
            "installation": from,
            "notices": notices,
        }),
    }
}

/// The heading of a message.
fn heading(notices: &[Notice]) -> String {
    match notices {
        [one] => one.title.clone(),
        all => format!("{} of keyvault-backup", counted(all.len(), "notice")),
    }
}

/// The texts below the heading, one for each notice that is shown.
fn texts(notices: &[Notice]) -> Vec<String> {
    if let [one] = notices {
        return [&one.text, &one.advice].into_iter().filter(|text| !text.is_empty()).cloned().collect();
    }
    let text = |notice: &Notice| format!("{}\n{}", notice.title, super::plain(&notice.text, SHORT));
    let mut texts: Vec<_> = notices.iter().take(SHOWN).map(text).collect();
    if notices.len() > SHOWN {
        texts.push(format!("And {} more: `keyvault-backup status` shows all.", notices.len() - SHOWN));
    }
    texts
}

/// The line at the end: the installation, the time, and the id.
fn footer(notices: &[Notice], from: Option<&str>) -> String {
    let at = notices.first().map(|notice| minute(notice.at));
    let id = notices.first().filter(|_| notices.len() == 1).map(|notice| format!("id {}", notice.id));
    let parts = [from.map(ToOwned::to_owned), at, id];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn worst(notices: &[Notice]) -> Severity {
    let has = |severity| notices.iter().any(|notice| notice.severity == severity);
    [Severity::Error, Severity::Warning, Severity::Info]
        .into_iter()
        .find(|severity| has(*severity))
        .unwrap_or(Severity::Good)
}

fn teams(notices: &[Notice], from: Option<&str>) -> Value {
    let color = match worst(notices) {
        Severity::Error => "attention",
        Severity::Warning => "warning",
        Severity::Info => "accent",
        Severity::Good => "good",
    };
    let run = |text: String, more: Value| {
        let mut run = json!({ "type": "TextRun", "text": text });
        if let (Some(run), Value::Object(more)) = (run.as_object_mut(), more) {
            run.extend(more);
        }
        json!({ "type": "RichTextBlock", "inlines": [run] })
    };
    let mut blocks =
        vec![run(heading(notices), json!({ "weight": "bolder", "size": "medium", "color": color }))];
    blocks.extend(texts(notices).into_iter().map(|text| run(text, json!({}))));
    blocks.push(run(footer(notices, from), json!({ "isSubtle": true, "size": "small" })));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": blocks,
            },
        }],
    })
}

fn slack(notices: &[Notice], from: Option<&str>) -> Value {
    let text = |text: &str| json!({ "type": "plain_text", "text": escaped(text), "emoji": false });
    let sign = match worst(notices) {
        Severity::Error => "🔴 ",
        Severity::Warning => "🟠 ",
        Severity::Info => "🔵 ",
        Severity::Good => "🟢 ",
    };
    let heading = format!("{sign}{}", heading(notices));
    let head = json!({ "type": "section", "text": text(&heading) });
    let sections = texts(notices)
        .into_iter()
        .map(|of| json!({ "type": "section", "text": text(&super::plain(&of, SECTION)) }));
    let end = json!({ "type": "context", "elements": [text(&footer(notices, from))] });
    let blocks: Vec<Value> = [head].into_iter().chain(sections).chain([end]).collect();
    json!({ "text": escaped(&heading), "mrkdwn": false, "blocks": blocks })
}

/// The most characters of a section before they are escaped: Slack takes 3,000.
const SECTION: usize = 600;

/// A text in which Slack finds no markup of its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

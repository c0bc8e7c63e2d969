//! Requests to Queue storage, answered.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

use super::{
    account::Account,
    container::no_route,
    error::{PROLOGUE, XML, error, queue_not_found},
    list::element,
    metadata,
    queue::{DEFAULT_LIFE, Queue, QueueMessage, Refusal},
};
use crate::azure::{call::Call, operation::Operation, reply::Reply, timestamp::http_date};

const MAX_MESSAGE: usize = 64 * 1024;
/// What a message without an end is said to live until.
const NEVER: &str = "Fri, 31 Dec 9999 23:59:59 GMT";
const DEFAULT_VISIBILITY: u64 = 30;
const MAX_VISIBILITY: u64 = 7 * 24 * 60 * 60;

/// Answers a request that carries a good token.
pub(crate) fn answer(account: &Account, call: &Call) -> Reply {
    route(account, call).unwrap_or_else(|refusal| refusal)
}

/// A refusal is an answer, too. It comes as an error so that `?` ends the work.
fn route(account: &Account, call: &Call) -> Result<Reply, Reply> {
    let mut queues = account.queues.lock();
    let name = &call.route.name;
    match call.route.operation {
        Operation::ListQueues => return Ok(list(queues.keys())),
        Operation::CreateQueue => {
            let metadata = metadata::read(call)?;
            let made = !queues.contains_key(name);
            let queue = queues.entry(name.clone()).or_default();
            if !made && queue.metadata != metadata {
                return Err(error(
                    call,
                    StatusCode::CONFLICT,
                    "QueueAlreadyExists",
                    "The specified queue already exists.",
                ));
            }
            queue.metadata = metadata;
            return Ok(Reply::new(if made { StatusCode::CREATED } else { StatusCode::NO_CONTENT }));
        }
        Operation::DeleteQueue => {
            let removed = queues.remove(name);
            return removed.map(|_| Reply::new(StatusCode::NO_CONTENT)).ok_or_else(|| queue_not_found(call));
        }
        _ => {}
    }
    if call.route.operation == Operation::Other {
        return Err(no_route(call));
    }
    let queue = queues.get_mut(name).ok_or_else(|| queue_not_found(call))?;
    match call.route.operation {
        Operation::SendMessage => send(queue, call),
        Operation::ReceiveMessages => receive(queue, call),
        Operation::PeekMessages => {
            Ok(messages(StatusCode::OK, &queue.peek(number(call)?, call.now), Show::Peeked))
        }
        Operation::UpdateMessage => update(queue, call),
        Operation::DeleteMessage => delete(queue, call),
        Operation::ClearMessages => {
            queue.clear();
            Ok(Reply::new(StatusCode::NO_CONTENT))
        }
        Operation::GetQueue => {
            let mut reply = Reply::new(StatusCode::OK);
            reply.set("x-ms-approximate-messages-count", &queue.all(call.now).count().to_string());
            metadata::write(&queue.metadata, &mut reply);
            Ok(reply)
        }
        Operation::SetQueueMetadata => {
            queue.metadata = metadata::read(call)?;
            Ok(Reply::new(StatusCode::NO_CONTENT))
        }
        _ => Err(no_route(call)),
    }
}

fn send(queue: &mut Queue, call: &Call) -> Result<Reply, Reply> {
    let text = text(call)?.unwrap_or_default();
    let visibility = visibility(call, 0)?;
    let life = match call.query.number::<i64>("messagettl") {
        Some(-1) => None,
        Some(seconds) if seconds > 0 => Some(Duration::from_secs(seconds.unsigned_abs())),
        None if call.query.get("messagettl").is_none() => Some(DEFAULT_LIFE),
        _ => return Err(out_of_range(call)),
    };
    if life.is_some_and(|life| visibility >= life) {
        return Err(out_of_range(call));
    }
    let message = queue.send(&text, visibility, life, call.now);
    Ok(messages(StatusCode::CREATED, &[message], Show::Sent))
}

fn receive(queue: &mut Queue, call: &Call) -> Result<Reply, Reply> {
    let (max, visibility) = (number(call)?, visibility(call, DEFAULT_VISIBILITY)?);
    Ok(messages(StatusCode::OK, &queue.receive(max, visibility, call.now), Show::Received))
}

fn update(queue: &mut Queue, call: &Call) -> Result<Reply, Reply> {
    let text = if call.body.is_empty() { None } else { text(call)? };
    let (id, receipt) = (call.route.item.as_deref().unwrap_or_default(), receipt(call)?);
    let message = queue
        .update(id, receipt, visibility(call, 0)?, text, call.now)
        .map_err(|refusal| refused(call, refusal))?;
    let reply = Reply::new(StatusCode::NO_CONTENT);
    Ok(reply
        .header("x-ms-popreceipt", &message.pop_receipt)
        .header("x-ms-time-next-visible", &http_date(message.next_visible)))
}

fn delete(queue: &mut Queue, call: &Call) -> Result<Reply, Reply> {
    let (id, receipt) = (call.route.item.as_deref().unwrap_or_default(), receipt(call)?);
    queue.delete(id, receipt, call.now).map_err(|refusal| refused(call, refusal))?;
    Ok(Reply::new(StatusCode::NO_CONTENT))
}

fn refused(call: &Call, refusal: Refusal) -> Reply {
    match refusal {
        Refusal::NotFound => {
            error(call, StatusCode::NOT_FOUND, "MessageNotFound", "The specified message does not exist.")
        }
        Refusal::Receipt => {
            let message = "The specified pop receipt did not match the pop receipt for a dequeued message.";
            error(call, StatusCode::BAD_REQUEST, "PopReceiptMismatch", message)
        }
    }
}

fn out_of_range(call: &Call) -> Reply {
    let message =
        "One of the query parameters specified in the request URI is outside the permissible range.";
    error(call, StatusCode::BAD_REQUEST, "OutOfRangeQueryParameterValue", message)
}

fn number(call: &Call) -> Result<usize, Reply> {
    match call.query.get("numofmessages").map(str::parse::<usize>) {
        None => Ok(1),
        Some(Ok(number @ 1..=32)) => Ok(number),
        Some(_) => Err(out_of_range(call)),
    }
}

fn visibility(call: &Call, default: u64) -> Result<Duration, Reply> {
    match call.query.get("visibilitytimeout").map(str::parse::<u64>) {
        None => Ok(Duration::from_secs(default)),
        Some(Ok(seconds @ 0..=MAX_VISIBILITY)) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(out_of_range(call)),
    }
}

fn receipt(call: &Call) -> Result<&str, Reply> {
    call.query.get("popreceipt").ok_or_else(|| {
        error(
            call,
            StatusCode::BAD_REQUEST,
            "MissingRequiredQueryParameter",
            "A query parameter that's mandatory for this request is not specified.",
        )
    })
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "MessageText")]
    text: Option<String>,
}

fn text(call: &Call) -> Result<Option<String>, Reply> {
    let invalid = || {
        error(
            call,
            StatusCode::BAD_REQUEST,
            "InvalidXmlDocument",
            "XML specified is not syntactically valid.",
        )
    };
    let body = std::str::from_utf8(&call.body).map_err(|_| invalid())?;
    let sent: Sent = quick_xml::de::from_str(body.trim_start_matches('\u{feff}')).map_err(|_| invalid())?;
    if sent.text.as_ref().is_some_and(|text| text.len() > MAX_MESSAGE) {
        let message = "The request body is too large and exceeds the maximum permissible limit.";
        return Err(error(call, StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", message));
    }
    Ok(sent.text)
}

/// What an answer tells of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Sent,
    Received,
    Peeked,
}

fn messages(status: StatusCode, messages: &[QueueMessage], show: Show) -> Reply {
    let mut body = String::from(PROLOGUE);
    body.push_str("<QueueMessagesList>");
    for message in messages {
        body.push_str("<QueueMessage>");
        element(&mut body, "MessageId", &message.id);
        element(&mut body, "InsertionTime", &http_date(message.insertion));
        element(&mut body, "ExpirationTime", &message.expiration.map_or_else(|| NEVER.to_owned(), http_date));
        if show != Show::Peeked {
            element(&mut body, "PopReceipt", &message.pop_receipt);
            element(&mut body, "TimeNextVisible", &http_date(message.next_visible));
        }
        if show != Show::Sent {
            element(&mut body, "DequeueCount", &message.dequeue_count.to_string());
            element(&mut body, "MessageText", &message.text);
        }
        body.push_str("</QueueMessage>");
    }
    body.push_str("</QueueMessagesList>");
    Reply::new(status).body(XML, body)
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> Reply {
    let mut body = String::from(PROLOGUE);
    body.push_str("<EnumerationResults><Queues>");
    for name in names {
        body.push_str("<Queue>");
        element(&mut body, "Name", name);
        body.push_str("</Queue>");
    }
    body.push_str("</Queues><NextMarker /></EnumerationResults>");
    Reply::new(StatusCode::OK).body(XML, body)
}

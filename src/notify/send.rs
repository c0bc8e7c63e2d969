//! Requests to webhooks: without any token, without following redirects, and each only to the address that is set.

use std::{error::Error as _, time::Duration};

use reqwest::{
    Client, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};

use crate::{
    domain::notice::{Notice, Outcome, Post, Target, body},
    error::{Error, Result},
};

/// How long a target has to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// After this long no further post is sent to a target in one pass.
const ENOUGH: Duration = Duration::from_secs(40);

/// The longest part of an answer that is read.
const READ: usize = 64;

const PROGRAM: &str = concat!("keyvault-backup/", env!("CARGO_PKG_VERSION"));

/// What came back from a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status, and the target's word for it, if it said one.
    Status {
        /// The status.
        code: u16,
        /// One plain word, as `invalid_token`.
        word: Option<String>,
        /// The wait that it asked for.
        wait: Option<Duration>,
    },
    /// No answer; why.
    Nothing(String),
}

impl Answer {
    /// Whether the target took the message.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Status { code: 200..=299, .. })
    }

    /// In words for people.
    pub fn words(&self) -> String {
        match self {
            Self::Status { code, word: None, .. } => format!("it answered {code}"),
            Self::Status { code, word: Some(word), .. } => format!("it answered {code} {word}"),
            Self::Nothing(why) => why.clone(),
        }
    }

    fn outcome(self) -> Outcome {
        let words = self.words();
        match self {
            Self::Status { code: 200..=299, .. } => Outcome::Sent,
            Self::Status { code: 408 | 429 | 500.., wait, .. } => {
                Outcome::Failed(words, wait.and_then(|wait| wait.try_into().ok()))
            }
            Self::Status { .. } => Outcome::Refused(words),
            Self::Nothing(_) => Outcome::Failed(words, None),
        }
    }
}

/// Sends posts.
pub struct Sender {
    client: Client,
    from: Option<String>,
}

impl Sender {
    /// A sender. `from` is how messages name the installation.
    ///
    /// # Errors
    /// When the system's certificate authorities cannot be read.
    pub fn new(from: Option<String>) -> Result<Self> {
        let client = Client::builder()
            .connect_timeout(WITHIN)
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build();
        let client = client.map_err(|error| Error::Refused(format!("nothing can be sent: {error}")))?;
        Ok(Self { client, from })
    }

    /// Sends posts to one target, in order, until one fails: what follows is not tried then.
    pub(super) async fn all<'a>(
        &self,
        target: Option<&Target>,
        posts: &[&'a Post],
    ) -> Vec<(&'a Post, Outcome)> {
        let (mut outcomes, mut stops) = (Vec::new(), target.is_none());
        let began = tokio::time::Instant::now();
        for post in posts {
            let outcome = match target.filter(|_| !stops && began.elapsed() < ENOUGH) {
                Some(target) if post.is_beat() => self.beat(target).await.outcome(),
                Some(target) => self.notices(target, &post.notices).await.outcome(),
                None => Outcome::NotTried,
            };
            stops |= outcome != Outcome::Sent;
            outcomes.push((*post, outcome));
        }
        outcomes
    }

    /// Sends notices in one message.
    pub async fn notices(&self, target: &Target, notices: &[Notice]) -> Answer {
        let text = body(target.form(), notices, self.from.as_deref()).to_string();
        let request = self.client.post(target.address().clone()).header(CONTENT_TYPE, "application/json");
        self.answer(target, request.body(text)).await
    }

    async fn beat(&self, target: &Target) -> Answer {
        self.answer(target, self.client.get(target.address().clone())).await
    }

    async fn answer(&self, target: &Target, request: reqwest::RequestBuilder) -> Answer {
        let sent = async {
            let mut answer = self.client.execute(request.header(USER_AGENT, PROGRAM).build()?).await?;
            let status = answer.status();
            let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let wait = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            let text = if status.is_success() { None } else { answer.chunk().await.ok().flatten() };
            Ok((status, wait, text))
        };
        let sent: reqwest::Result<(StatusCode, Option<Duration>, Option<_>)> = sent.await;
        match sent {
            Ok((status, wait, text)) => {
                let word = text.and_then(|text| word(&text, target));
                Answer::Status { code: status.as_u16(), word, wait }
            }
            Err(error) => Answer::Nothing(why(&error)),
        }
    }
}

/// An answer that is one plain word. Anything else might repeat the address, which is a secret.
fn word(answer: &[u8], target: &Target) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?.trim();
    let is_plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    let is_word = (1..=READ).contains(&text.len()) && text.bytes().all(is_plain);
    (is_word && !target.address().as_str().contains(text)).then(|| text.to_owned())
}

/// Why there was no answer, without the address.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", WITHIN.as_secs());
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    // The deepest cause is the system's or TLS's own, and neither knows the path.
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, wait: Option<u64>) -> Outcome {
        Answer::Status { code, word: None, wait: wait.map(Duration::from_secs) }.outcome()
    }

    #[test]
    fn what_a_target_answers_decides_when_it_is_tried_again() {
        let failed = |text: &str, wait| Outcome::Failed(text.to_owned(), wait);
        let minute = Some(time::Duration::MINUTE);
        for (answer, expected) in [
            (status(200, None), Outcome::Sent),
            (status(202, None), Outcome::Sent),
            (status(302, None), Outcome::Refused("it answered 302".to_owned())),
            (status(400, Some(60)), Outcome::Refused("it answered 400".to_owned())),
            (status(408, None), failed("it answered 408", None)),
            (status(429, Some(60)), failed("it answered 429", minute)),
            (status(500, None), failed("it answered 500", None)),
            (status(503, Some(60)), failed("it answered 503", minute)),
            (Answer::Nothing("no connection".to_owned()).outcome(), failed("no connection", None)),
        ] {
            assert_eq!(answer, expected);
        }
    }

    #[test]
    fn of_an_answer_one_plain_word_is_shown_that_is_no_part_of_the_address() {
        let target = Target::parse("https://a.example/hidden/x").unwrap();
        for (answer, expected) in [
            ("no_service", Some("no_service")),
            (" invalid_token\n", Some("invalid_token")),
            ("hidden", None),
            ("cannot post to /hidden/x", None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(word(answer.as_bytes(), &target).as_deref(), expected, "{answer}");
        }
        assert_eq!(word(&[b'a'; 65], &target), None);
    }
}

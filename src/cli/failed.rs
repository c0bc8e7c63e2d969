//! The error of a command: what happened, and what to do next.

use std::io;

use super::output::{Format, json_error, note};
use crate::{
    api::shapes::problem::{Problem, ProblemBody, ProblemKind},
    azure::error::{Meaning, ServiceError},
    config::ConfigError,
    error::Error,
    preflight::findings::remedy::create_container_at,
};

/// The error of a command: the last thing on standard error, and the only one with JSON. A command that fails so has
/// printed no result.
#[derive(Debug)]
pub struct Failed(Box<Problem>);

impl Failed {
    /// A command that cannot be carried out as things are: what is in the way, and what to do next.
    pub fn new(detail: impl AsRef<str>, next: impl AsRef<str>) -> Self {
        Self::of(ProblemKind::NotPossible, detail, next)
    }

    /// An error of a kind.
    pub fn of(kind: ProblemKind, detail: impl AsRef<str>, next: impl AsRef<str>) -> Self {
        Self(Box::new(Problem::new(kind, sentence(detail.as_ref())).next(sentence(next.as_ref()))))
    }

    /// Prints it on standard error: in words for people, in the shape of an HTTP problem with JSON.
    pub(super) fn tell(self, format: Format) {
        if format.is_json() {
            json_error(&ProblemBody::from(*self.0));
        } else {
            note(format_args!("error: {}\n{}", self.0.detail(), self.0.next_step()));
        }
    }
}

/// A text as a sentence: with a capital letter and, if it is of one line, a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    // A text that begins with a name or a command begins as that does.
    let is_word = text.split(' ').next().is_some_and(|word| word.chars().all(|c| c.is_ascii_lowercase()));
    let text = if is_word { first.into_iter().chain(letters).collect() } else { text.to_owned() };
    let is_ended = text.ends_with(['.', '?', '!', ':']) || text.contains('\n');
    if is_ended { text } else { text + "." }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let detail = match &error {
            Error::Nothing(nothing) => nothing.to_string(),
            error => error.to_string(),
        };
        Self(Box::new(Problem::at_terminal(&error, sentence(&detail), next(&error))))
    }
}

/// What a person at a terminal does about an error.
fn next(error: &Error) -> String {
    match error {
        Error::Service(error) => next_at_service(error),
        Error::NotBegun { because, .. } => next(because),
        Error::Nothing(nothing) => nothing.next(),
        Error::Damaged { .. } => {
            "Find out who changed it: the storage account's log has the caller. `--at` with an earlier \
                                  time reads an earlier manifest."
                .to_owned()
        }
        Error::BackupGone { .. } => {
            "Restore another recovery point: `keyvault-backup list history` lists them.".to_owned()
        }
        Error::TooNew { .. } => "Install the newer version of keyvault-backup.".to_owned(),
        Error::Barred(_) => {
            "Have the setting that the detail names changed, then run the command again.".to_owned()
        }
        Error::Refused(_) => "Correct that, then run the command again.".to_owned(),
        Error::Busy(_) => {
            "Wait until it has ended, as `keyvault-backup jobs` shows, then run the command again.".to_owned()
        }
        Error::TooMany(met) => {
            format!(
                "Wait until one of them has ended, as `keyvault-backup jobs` shows, or raise {}.",
                met.setting()
            )
        }
        Error::Deadline { .. } => "Run the command again.".to_owned(),
    }
}

fn next_at_service(error: &ServiceError) -> String {
    if let Some(address) = &error.missing {
        let make = create_container_at(address);
        return format!("Correct the setting that names the container, or create it:\n  {make}");
    }
    let text = match error.meaning {
        Meaning::NoToken => {
            "Sign in with `az login`; `keyvault-backup preflight` says what else the identity lacks."
        }
        Meaning::Unauthorized | Meaning::Denied | Meaning::Forbidden => {
            "`keyvault-backup preflight` names the right that is missing or the firewall that is closed, and the command \
             that mends it."
        }
        Meaning::NotFound | Meaning::Refused | Meaning::NotSent | Meaning::Nonsense => {
            "Check the names in the command and in the settings; `keyvault-backup preflight` checks the settings."
        }
        Meaning::Throttled
        | Meaning::Unavailable
        | Meaning::Network
        | Meaning::Exists
        | Meaning::Busy
        | Meaning::Stopped => {
            "Run the command again; if it lasts, `keyvault-backup preflight` says what is out of reach."
        }
    };
    text.to_owned()
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        let next = "Set each of these variables in your environment, as in `export NAME=VALUE`; docs/settings.md describes \
                    them.";
        Self::of(ProblemKind::InvalidSettings, error.to_string(), next)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::new(
            format!("the terminal or the file cannot be used: {error}"),
            "mend that, then run the command again",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_sentence_unless_it_begins_with_a_name() {
        for (text, expected) in [
            ("there is no such run", "There is no such run."),
            ("There is none.", "There is none."),
            ("20261122T020000Z-nightly is open", "20261122T020000Z-nightly is open."),
            ("kv-prod has none", "kv-prod has none."),
            ("the settings:\n  one", "The settings:\n  one"),
            ("", "."),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
    fn service(meaning: Meaning) -> ServiceError {
        use crate::azure::error::{Asked, Operation, Service};
        let failure = crate::domain::outcome::Failure::ours("Code", "text");
        ServiceError::new(Asked::new(Service::Storage, Operation::Read, "read it"), meaning, failure)
    }

    #[test]
    fn every_error_ends_with_something_to_do() {
        use strum::VariantArray as _;
        for &meaning in Meaning::VARIANTS {
            let next = next(&service(meaning).into());
            assert!(next.contains("keyvault-backup") && next.ends_with('.'), "{meaning:?}: {next}");
            assert_eq!(next.contains("az login"), meaning == Meaning::NoToken, "{meaning:?}: {next}");
            let right = matches!(meaning, Meaning::Unauthorized | Meaning::Denied | Meaning::Forbidden);
            assert_eq!(next.contains("the right that is missing"), right, "{meaning:?}: {next}");
            let again = matches!(
                meaning,
                Meaning::Throttled
                    | Meaning::Unavailable
                    | Meaning::Network
                    | Meaning::Exists
                    | Meaning::Busy
                    | Meaning::Stopped
            );
            assert_eq!(next.starts_with("Run the command again"), again, "{meaning:?}: {next}");
        }
        for (error, expected) in [
            (Error::Damaged { blob: "x".into(), text: "y".into() }, "Find out who changed it"),
            (Error::BackupGone { backup: "x".into() }, "Restore another recovery point"),
            (Error::TooNew { what: "x".into(), found: 2, known: 1 }, "Install the newer version"),
            (Error::Refused("x".into()), "Correct that"),
            (Error::Busy("x".into()), "Wait until it has ended"),
            (Error::Deadline { what: "x".into(), seconds: 1 }, "Run the command again."),
        ] {
            assert!(next(&error).starts_with(expected), "{error}: {}", next(&error));
        }
    }

    #[test]
    fn what_did_not_begin_is_mended_as_its_cause_is() {
        let because = Box::new(Error::from(service(Meaning::NoToken)));
        let error = Error::NotBegun { text: "run x".into(), surely: true, because };
        assert_eq!(next(&error), next(&service(Meaning::NoToken).into()));
    }

    #[test]
    fn a_container_that_is_missing_comes_with_the_command_that_makes_it() {
        let missing = Some(Box::new("https://acct.blob.core.windows.net/backups".parse().unwrap()));
        let error = ServiceError { missing, ..service(Meaning::NotFound) };
        let next = next(&error.into());
        let (words, command) = next.split_once('\n').unwrap();
        assert!(words.ends_with(':'), "{words}");
        assert!(command.trim().starts_with("az storage container create"), "{command}");
        assert!(command.contains("backups") && command.contains("acct"), "{command}");
    }

    #[test]
    fn an_error_has_a_kind_a_detail_and_a_next_step() {
        let failed = Failed::new("there is no vault", "name one");
        assert_eq!((failed.0.detail(), failed.0.next_step()), ("There is no vault.", "Name one."));
        let body = serde_json::to_value(ProblemBody::from(*failed.0)).unwrap();
        assert_eq!(body["type"], ProblemKind::NotPossible.urn());
        let io = Failed::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(io.0.detail().starts_with("The terminal or the file cannot be used: "), "{}", io.0.detail());
    }
}

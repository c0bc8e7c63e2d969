//! The actor of a request.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::Hash;

/// How a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The schedule.
    Timer,
    /// An HTTP function.
    Http,
    /// The command line.
    Terminal,
}

/// A person or program, as named by the platform's authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The object id.
    pub id: String,
    /// The name, for display only; it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The actor of a request, as far as this program can know. It is recorded on every job and in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// How the request arrived.
    pub via: Via,
    /// The start of the SHA-256 of the function key that was used. It distinguishes keys and opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hash<4>>,
    /// The principal, according to the platform's authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

impl Actor {
    /// The schedule.
    pub const TIMER: Self = Self { via: Via::Timer, key: None, principal: None };
    /// A person at a terminal, whom Azure knows by the identity that is used there.
    pub const TERMINAL: Self = Self { via: Via::Terminal, key: None, principal: None };

    /// A caller of an HTTP function.
    pub fn http(key: Option<&str>, principal: Option<Principal>) -> Self {
        Self { via: Via::Http, key: key.map(|key| Hash::of(key.as_bytes())), principal }
    }

    /// Whether both are known to be persons or programs that signed in, and not the same one.
    pub fn is_another_person_than(&self, other: &Self) -> bool {
        let ids = self.principal.as_ref().zip(other.principal.as_ref());
        ids.is_some_and(|(one, other)| !one.id.eq_ignore_ascii_case(&other.id))
    }

    /// The key that distinguishes callers of HTTP functions: the principal, or else the function key. `None` for other
    /// actors.
    pub fn caller(&self) -> Option<String> {
        (self.via == Via::Http).then(|| match (&self.principal, &self.key) {
            (Some(principal), _) => principal.id.clone(),
            (None, Some(key)) => key.to_string(),
            (None, None) => String::new(),
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.via, &self.principal, &self.key) {
            (Via::Timer, ..) => f.write_str("the schedule"),
            (Via::Terminal, ..) => f.write_str("a terminal"),
            (Via::Http, Some(Principal { id, name: Some(name) }), _) => write!(f, "{name} ({id})"),
            (Via::Http, Some(Principal { id, name: None }), _) => f.write_str(id),
            (Via::Http, None, Some(key)) => write!(f, "the holder of function key {key}"),
            (Via::Http, None, None) => f.write_str("an HTTP caller"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_actors_are_two_people_only_if_both_are_known() {
        let person =
            |id: &str| Actor::http(None, Some(Principal { id: id.into(), name: Some("Ada".into()) }));
        let key = Actor::http(Some("a-key"), None);
        for (one, other, expected) in [
            (person("0f3a"), person("1c2d"), true),
            (person("0f3a"), person("0F3A"), false),
            (person("0f3a"), key.clone(), false),
            (key.clone(), Actor::http(Some("b-key"), None), false),
            (Actor::TERMINAL, person("0f3a"), false),
        ] {
            assert_eq!(one.is_another_person_than(&other), expected, "{one} {other}");
            assert_eq!(other.is_another_person_than(&one), expected, "{other} {one}");
        }
    }

    #[test]
    fn whoever_asked_is_shown_as_well_as_it_is_known_and_never_by_a_key() {
        let person = |name: Option<&str>| Principal { id: "0f3a".into(), name: name.map(str::to_owned) };
        let key = Hash::<4>::of(b"a-function-key");
        let table = [
            (Actor::TIMER, "the schedule".to_owned()),
            (Actor::TERMINAL, "a terminal".into()),
            (Actor::http(Some("a-function-key"), Some(person(Some("Ada")))), "Ada (0f3a)".into()),
            (Actor::http(Some("a-function-key"), Some(person(None))), "0f3a".into()),
            (Actor::http(Some("a-function-key"), None), format!("the holder of function key {key}")),
            (Actor::http(None, None), "an HTTP caller".into()),
        ];
        for (actor, shown) in table {
            assert_eq!(actor.to_string(), shown);
        }
    }
}

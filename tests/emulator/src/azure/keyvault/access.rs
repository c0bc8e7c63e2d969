//! What callers may do in a vault.
//!
//! Who may do what is looked at before the object is looked for, and before the body of a restore is read:
//!
//! | case | answer | known from |
//! |---|---|---|
//! | a right is missing | 403 with the reason as inner code | reports |
//! | the right is there, the object is not | 404 | recordings |
//! | the right to restore is there, the body is no backup | 400 | recordings |
//! | the order of the two looks | rights come first | inferred: a caller without rights was never seen to get 404 |

use super::object::Kind;
use crate::azure::faults::Forbidden;

/// What callers may do in a vault, by the words of access policies: `list`, `backup`, `restore`, `get`, `purge`…
#[derive(Debug, Clone)]
pub struct Access {
    refusal: Forbidden,
    allowed: Vec<&'static str>,
    refused: Vec<(Kind, &'static str)>,
}

impl Access {
    /// These actions on every kind, and no others; and why the others are refused.
    pub fn only(refusal: Forbidden, allowed: &[&'static str]) -> Self {
        Self { refusal, allowed: allowed.to_vec(), refused: Vec::new() }
    }

    /// The same without an action on one kind.
    #[must_use]
    pub fn without(mut self, kind: Kind, action: &'static str) -> Self {
        self.refused.push((kind, action));
        self
    }

    /// The same with one more action on every kind.
    #[must_use]
    pub fn with(mut self, action: &'static str) -> Self {
        self.allowed.push(action);
        self
    }

    /// Why an action is refused, if it is.
    pub(crate) fn refusal(&self, kind: Kind, action: &str) -> Option<Forbidden> {
        let allowed = self.allowed.contains(&action)
            && !self.refused.iter().any(|(of, refused)| *of == kind && *refused == action);
        (!allowed).then_some(self.refusal)
    }
}

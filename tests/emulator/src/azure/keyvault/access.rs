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

use serde::Deserialize;

use super::object::Kind;
use crate::azure::faults::Forbidden;

/// What callers may do in a vault, by the words of access policies: `list`, `backup`, `restore`, `get`, `purge`…
#[derive(Debug, Clone)]
pub struct Access {
    refusal: Forbidden,
    allowed: Vec<&'static str>,
    refused: Vec<(Kind, &'static str)>,
}

/// What an identity of the templates may do in vaults of a sort.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    identity: String,
    vault: String,
    allowed: Vec<String>,
}

/// Every action that a table may name.
const ACTIONS: [&str; 11] =
    ["backup", "create", "delete", "get", "list", "purge", "recover", "restore", "set", "sign", "update"];

impl Access {
    /// What the templates give an identity (`backup`, `restore`, `keeper`) in a `source`, a `target` or a `drill` vault, and
    /// nothing where they give nothing. `infra/tests` holds the table against the templates.
    ///
    /// # Panics
    /// If the table cannot be read: a test is wrong.
    pub fn of(identity: &str, vault: &str) -> Self {
        let table = serde_json::from_str::<Vec<Row>>(include_str!("../../../vault-rights.json"));
        let table = table.unwrap_or_else(|error| panic!("the table of rights cannot be read: {error}"));
        let row = table.into_iter().find(|row| row.identity == identity && row.vault == vault);
        let named = row.map(|row| row.allowed).unwrap_or_default();
        let allowed: Vec<_> =
            ACTIONS.into_iter().filter(|action| named.iter().any(|of| of == action)).collect();
        assert_eq!(allowed.len(), named.len(), "an action of {identity} is unknown");
        Self::only(Forbidden::ByRbac, &allowed)
    }

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

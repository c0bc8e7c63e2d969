//! What the outcome of a try says about the connection to a service and about a right.

use crate::domain::{
    cause::{Came, Cause},
    outcome::Failure,
    wording::on_one_line,
};

impl Cause {
    /// The name of the finding that nothing behind the host could be asked, whatever the request. `None` if something
    /// could.
    pub(in crate::preflight) fn closed_name(self) -> Option<&'static str> {
        match self {
            Self::Firewall | Self::PublicOff => Some("network-closed"),
            Self::HostUnknown => Some("host-unknown"),
            Self::Unreachable => Some("host-unreachable"),
            Self::Untrusted => Some("certificate-untrusted"),
            Self::NoToken => Some("no-token"),
            Self::OtherTenant => Some("other-tenant"),
            Self::TokenRefused => Some("token-refused"),
            Self::Rbac
            | Self::Policy
            | Self::Denied
            | Self::NotFound
            | Self::Malformed
            | Self::Immutable
            | Self::PurgeProtected
            | Self::Passing
            | Self::Other => None,
        }
    }
}

/// Whether the caller has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    No(Cause, Failure),
    /// Why it is not known.
    Unknown(String),
}

impl Came {
    /// Whether the caller has the right to do it. A refusal for another reason than a missing right comes after the
    /// check of rights.
    pub(super) fn held(&self) -> Held {
        match self {
            Self::Late(seconds) => Held::Unknown(format!("no answer within {seconds} s")),
            Self::Done | Self::Refused(Cause::NotFound | Cause::Malformed, _) => Held::Yes,
            Self::Refused(cause, failure) if cause.is_missing_right() || *cause == Cause::PurgeProtected => {
                Held::No(*cause, failure.clone())
            }
            Self::Refused(_, failure) => Held::Unknown(words(failure)),
        }
    }
}

/// A service's error on one line, in full: the helpful part may be at its end.
pub(in crate::preflight) fn words(failure: &Failure) -> String {
    format!("{}: {}", failure.code, on_one_line(&failure.text))
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn a_closed_way_has_a_name_of_its_own() {
        let closed = Cause::VARIANTS.iter().filter_map(|cause| Some((*cause, cause.closed_name()?)));
        let expected = [
            (Cause::Firewall, "network-closed"),
            (Cause::PublicOff, "network-closed"),
            (Cause::HostUnknown, "host-unknown"),
            (Cause::Unreachable, "host-unreachable"),
            (Cause::Untrusted, "certificate-untrusted"),
            (Cause::NoToken, "no-token"),
            (Cause::OtherTenant, "other-tenant"),
            (Cause::TokenRefused, "token-refused"),
        ];
        assert_eq!(closed.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rights_are_looked_at_before_the_request_and_after_the_way() {
        let table: [(&[Cause], &str); 3] = [
            (&[Cause::NotFound, Cause::Malformed], "yes"),
            (&[Cause::Rbac, Cause::Policy, Cause::Denied, Cause::PurgeProtected], "no"),
            (
                &[
                    Cause::Firewall,
                    Cause::PublicOff,
                    Cause::HostUnknown,
                    Cause::Unreachable,
                    Cause::Untrusted,
                    Cause::NoToken,
                    Cause::OtherTenant,
                    Cause::TokenRefused,
                    Cause::Immutable,
                    Cause::Passing,
                    Cause::Other,
                ],
                "unknown",
            ),
        ];
        assert_eq!(table.iter().map(|(causes, _)| causes.len()).sum::<usize>(), Cause::VARIANTS.len());
        for (causes, expected) in table {
            for cause in causes {
                let came = Came::Refused(*cause, Failure::ours("code", "words"));
                let held = match came.held() {
                    Held::Yes => "yes",
                    Held::No(named, failure) if named == *cause && failure.code == "code" => "no",
                    Held::Unknown(why) if why == "code: words" => "unknown",
                    other => panic!("{other:?}"),
                };
                assert_eq!((held, came.cause()), (expected, Some(*cause)));
            }
        }
        assert_eq!((Came::Done.held(), Came::Done.cause()), (Held::Yes, None));
        assert_eq!(Came::Late(25).held(), Held::Unknown("no answer within 25 s".into()));
    }

    #[test]
    fn words_stand_on_one_line_and_are_whole() {
        let said = |text: &str| words(&Failure::ours("Forbidden", text));
        assert_eq!(said("a\r\n  b"), "Forbidden: a b");
        let hint = "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
                    definitions were changed recently, please observe propagation time.\r\nCaller: appid=x";
        assert_eq!(said(hint), format!("Forbidden: {}", hint.replace("\r\n", " ")));
    }
}

//! That people checked the security domain of an HSM.

use time::Duration;

use crate::{
    app::App,
    azure::container::Written,
    clock::Clock,
    domain::{
        actor::Actor,
        hsm::{ATTESTATION_FORMAT, Attestation, Person, Quorum},
        source::SourceName,
    },
    error::{Error, Result},
};

/// Tries to find a free second for a record.
const TRIES: usize = 8;

/// Records that these people checked the security domain of an HSM and the holders of its keys. The HSM is not asked: it does not
/// know either.
///
/// Each call is an attestation of its own, on the audit trail before it counts.
///
/// # Errors
/// Those of storage.
pub async fn attest(
    app: &App,
    hsm: &SourceName,
    quorum: Quorum,
    people: Vec<Person>,
    by: &Actor,
    clock: &Clock,
) -> Result<Attestation> {
    let (hsm, by, at) = (hsm.clone(), by.clone(), clock.now());
    let mut of = Attestation { v: ATTESTATION_FORMAT, hsm, quorum, people, by, at };
    for _ in 0..TRIES {
        app.audit()?.append(&of.by, (&of).into(), of.at).await?;
        if app.catalogue()?.create_attestation(&of).await? == Written::Created {
            return Ok(of);
        }
        of.at += Duration::SECOND;
    }
    Err(Error::Busy(format!("the attestation of HSM {} found no free second", of.hsm)))
}

//! `hsm attest`: that people checked the security domain of an HSM.

use clap::Args;

use super::{HsmArg, app_for};
use crate::{
    api::shapes::terminal::Attested,
    cli::{
        Done, Exit, Failed,
        output::{self, Cell, Column, Format, Table},
    },
    clock::Clock,
    domain::{
        actor::Actor,
        hsm::{ATTESTED_FOR, MOST_PEOPLE, Person, Quorum},
        moment::minute,
    },
    hsm::attest,
};

/// Record that people checked an HSM's security domain and the holders of its keys.
///
/// Without the security domain and a quorum of its keys no backup can be restored into a new HSM. This records that people looked:
/// it reads neither the file nor a key, and asks no HSM.
#[derive(Debug, Args)]
pub struct AttestArgs {
    #[command(flatten)]
    hsm: HsmArg,
    /// How many of how many keys are needed, such as `2/3`
    #[arg(long, value_name = "N/M")]
    quorum: Quorum,
    /// A person who checked; may be repeated
    #[arg(long = "by", value_name = "NAME", required = true)]
    people: Vec<Person>,
}

/// Runs the command.
pub(super) async fn run(args: AttestArgs, format: Format) -> Done {
    if args.people.len() > MOST_PEOPLE {
        return Err(Failed::new(
            format!("an attestation names at most {MOST_PEOPLE} people"),
            "name those who hold the file or a key",
        ));
    }
    let (app, clock) = (app_for(&args.hsm.hsm)?, Clock::system());
    let hsm = args.hsm.hsm.name();
    let of = Box::pin(attest::attest(&app, hsm, args.quorum, args.people, &Actor::TERMINAL, &clock)).await?;
    if format.is_json() {
        output::json(&Attested::from(&of))?;
        return Ok(Exit::All);
    }
    let (due, names) = (minute(of.at + ATTESTED_FOR), of.names());
    let sentence = format!(
        "Recorded: the security domain of HSM {hsm}, quorum {}, was checked by {names}. It is due again by {due}.",
        of.quorum
    );
    let details = [Column::name("quorum"), Column::prose("checked by")];
    let mut table = Table::new(&[Column::name("hsm"), Column::name("attested")], &details);
    let [hsm, quorum, names] = [hsm.to_string(), of.quorum.to_string(), names].map(Cell::from);
    table.push([hsm, of.at.into(), quorum, names]);
    output::one(format, sentence, &table)?;
    Ok(Exit::All)
}

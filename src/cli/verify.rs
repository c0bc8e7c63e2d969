//! `verify`: reads again what is stored, with read rights alone, and records nothing but for the owners of the second place.

mod file;
mod report;

use std::path::PathBuf;

use async_trait::async_trait;
use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::report::{Looked, Verified};
use super::{Done, Failed, FromArg, from, output::Format};
use crate::{
    api::shapes::problem::ProblemKind,
    app::App,
    clock::Clock,
    config::{Needs, environment, named},
    domain::{
        object::ObjectKind,
        second::Place,
        source::{Source, SourceId, SourceKind},
        verification::{Choice, Days, ReadSoFar, Share},
    },
    error::Result,
    verification::{self, Progress, Scope, check, first},
};

/// Read again what is stored, and say what is wrong with it
///
/// Every backup that the newest index names must be there with its size, the newest manifest must agree with its run, and nothing
/// may have been written again or deleted in storage. The bytes of a part of the backups are read and held against their
/// digests. Without `--all` and `--sample` that is today's part, as the keeper reads it: every backup has its turn within
/// `KEYVAULT_BACKUP_VERIFY_WITHIN_DAYS` days (28), the newest of each object within a week. What an earlier verification found is
/// read in any case.
///
/// This needs the right to read the container of backups and no other, and records nothing; with `--second` it records what it found
/// in the second place, for its owners, whose right to add there it needs. Of Managed HSMs the folders of their
/// backups are compared with their records, where `KEYVAULT_BACKUP_HSM_CONTAINER` is set.
#[derive(Debug, Args)]
#[command(after_help = EXITS)]
pub struct VerifyArgs {
    /// Only this vault or Managed HSM; may be repeated. Without it every source that the catalogue has
    #[arg(long, value_name = "NAME", value_parser = named::source)]
    source: Vec<Source>,
    /// Read every backup
    #[arg(long, conflicts_with = "sample")]
    all: bool,
    /// Read a sample of the backups, such as `5%`; another one each time
    #[arg(long, value_name = "SHARE")]
    sample: Option<Share>,
    /// Of backups that were written again or deleted in storage, also read what was stored first, and say whether it is whole
    #[arg(long)]
    first_version: bool,
    /// Judge the form of a backup in a file, ours or that of `az keyvault … backup --file`: without settings, account or
    /// network
    #[arg(long, value_name = "PATH", conflicts_with_all = ["source", "all", "sample", "first_version"])]
    file: Option<PathBuf>,
    /// The kind of object that the file has to be a backup of; may be repeated
    #[arg(long, requires = "file")]
    kind: Vec<ObjectKind>,
    #[command(flatten)]
    from: FromArg,
    /// Verify the second place, and record there what was found
    #[arg(long, conflicts_with_all = ["from", "file"])]
    second: bool,
}

impl VerifyArgs {
    /// Whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        !self.second
    }
}

const EXITS: &str = "\
Exit codes:
  0  Everything was verified, and is as it was stored
  1  Something is wrong, or something could not be verified
  2  Nothing could be verified";

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the storage cannot be read at all, or the catalogue has no such source.
pub async fn run(args: VerifyArgs, format: Format) -> Done {
    if let Some(path) = &args.file {
        return file::run(path, &args.kind, format);
    }
    let app = if args.second {
        from::second(environment, Needs::Storage)?
    } else {
        args.from.app(Needs::Storage)?
    };
    let clock = Clock::system();
    let sources = chosen(app.catalogue()?.sources().await?, &args.source)?;
    let mut looked = Vec::with_capacity(sources.len());
    for of in sources {
        let result = Box::pin(one(&app, &of, &args, format, &clock)).await;
        looked.push(Looked { of, result });
    }
    report::print(&looked, args.all, format)
}

/// The sources that were named, or all.
fn chosen(mut all: Vec<SourceId>, named: &[Source]) -> std::result::Result<Vec<SourceId>, Failed> {
    if let Some(unknown) = named.iter().find(|named| !all.iter().any(|of| of.name == *named.name())) {
        return Err(Failed::of(
            ProblemKind::NotFound,
            format!("the catalogue has no source {}", unknown.name()),
            "leave out --source to verify every source that it has",
        ));
    }
    all.retain(|of| named.is_empty() || named.iter().any(|named| of.name == *named.name()));
    Ok(all)
}

async fn one(
    app: &App,
    of: &SourceId,
    args: &VerifyArgs,
    format: Format,
    clock: &Clock,
) -> std::result::Result<Verified, String> {
    let is_first = app.config().place == Place::First;
    if of.kind == SourceKind::Hsm && is_first && app.hsms().container().is_err() {
        return Err(
            "KEYVAULT_BACKUP_HSM_CONTAINER is not set, and the folders of its backups are there".to_owned()
        );
    }
    let bar = Bar::new(of, format);
    let verified = look(app, of, args, &bar, clock).await;
    bar.0.finish_and_clear();
    verified.map_err(|error| error.to_string())
}

async fn look(app: &App, of: &SourceId, args: &VerifyArgs, bar: &Bar, clock: &Clock) -> Result<Verified> {
    let now = clock.now();
    let choice = match args.sample {
        _ if args.all => Choice::All,
        Some(share) => {
            let seed = now.unix_timestamp().unsigned_abs();
            Choice::Sample { of_10_000: share.of_10_000(), seed }
        }
        None => Choice::Turn { within: app.config().verify_within, days: Days::since(None, now.date()) },
    };
    let scope = Scope::of(app.catalogue()?, of.clone(), choice, now).await?;
    let mut progress = bar.clone();
    let found = check::source(app, &scope, ReadSoFar::default(), &mut progress, clock).await?;
    let found = if args.second { verification::record(app, found).await? } else { found };
    let first =
        if args.first_version { first::versions(app, &scope, &found.findings).await? } else { Vec::new() };
    Ok(Verified { found, first })
}

/// The progress of one source, for people.
#[derive(Clone)]
struct Bar(ProgressBar);

impl Bar {
    /// Until it is known how much is to be read, it says what is done.
    fn new(of: &SourceId, format: Format) -> Self {
        let target =
            if format.is_json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target).with_prefix(of.to_string());
        let bar = styled(bar, "{spinner} {prefix}: {msg}");
        bar.set_message("comparing the index with what storage lists");
        bar.tick();
        Self(bar)
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[async_trait]
impl Progress for Bar {
    async fn note(&mut self, read: &ReadSoFar, of: usize) -> Result<()> {
        if self.0.length().is_none() {
            self.0.set_length(of as u64);
            self.0 = styled(self.0.clone(), "{prefix} {bar:30} {pos}/{len} backups  {msg}  {eta} left");
        }
        self.0.set_message(HumanBytes(read.bytes).to_string());
        self.0.set_position(u64::from(read.backups));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_source_is_one_of_the_catalogue_whatever_its_kind() {
        let of = |kind, name: &str| SourceId { kind, name: name.parse().unwrap() };
        let all = || {
            vec![of(SourceKind::Vault, "kv-a"), of(SourceKind::Vault, "both"), of(SourceKind::Hsm, "both")]
        };
        let named =
            |names: &[&str]| -> Vec<Source> { names.iter().map(|of| named::vault(of).unwrap()).collect() };
        assert_eq!(chosen(all(), &[]).unwrap(), all());
        assert_eq!(chosen(all(), &named(&["both"])).unwrap(), all()[1..]);
        assert_eq!(chosen(all(), &named(&["kv-a", "kv-a"])).unwrap(), all()[..1]);
        assert!(chosen(all(), &named(&["kv-a", "kv-x"])).is_err());
    }
}

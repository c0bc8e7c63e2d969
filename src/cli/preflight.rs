//! `preflight`: faults of the installation, and how to fix them.

mod page;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use strum::VariantNames as _;

use super::{
    Done, Exit, Failed,
    output::{self, Format, Stream},
};
use crate::{
    api::shapes::preflight::Preflight,
    app::App,
    clock::Clock,
    config::{Config, Needs, environment, environment_of, named, parts},
    domain::source::{Source, SourceName},
    preflight::{
        self, Scope,
        findings::{Report, Severity},
        fix::{self, Fix},
    },
};

/// The arguments of `preflight`.
///
/// The exit code tells of everything that was checked: 0 if all is well, 1 if something has to be done or is unknown, 2 if
/// nothing could be checked.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    /// Check only this vault, by its name or URL: connection, rights and backups, not what vaults share; may be repeated
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::vault)]
    vault: Vec<Source>,
    /// Check only this Managed HSM, by its name or URL; may be repeated, also beside --vault
    #[arg(long, value_name = "HSM", alias = "hsm-name", value_parser = named::hsm)]
    hsm: Vec<Source>,
    /// Show only findings of at least this severity; the exit code still tells of everything that was checked
    #[arg(long, value_name = "SEVERITY", default_value = "info", value_parser = severities())]
    severity: Severity,
    /// Before the checks, make the containers of `KEYVAULT_BACKUP_CONTAINER` and `KEYVAULT_BACKUP_JOBS_CONTAINER` if they do not
    /// exist, with your identity and without public access; nothing else is changed
    #[arg(long, conflicts_with_all = ["vault", "hsm"])]
    fix: bool,
}

fn severities() -> impl clap::builder::TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::VARIANTS).try_map(|text| text.parse::<Severity>())
}

impl PreflightArgs {
    /// Whether it makes nothing.
    pub(super) fn only_reads(&self) -> bool {
        !self.fix
    }

    /// What to check.
    fn scope(&self) -> Scope<'_> {
        if self.vault.is_empty() && self.hsm.is_empty() { Scope::Terminal } else { Scope::Sources }
    }

    /// The program with the sources that were named; without any, with those of the settings.
    fn app(&self) -> Result<App, Failed> {
        let lookup = |name: &str| match name {
            _ if self.scope() == Scope::Terminal => environment(name),
            "KEYVAULT_BACKUP_VAULTS" => urls(&self.vault),
            "KEYVAULT_BACKUP_HSMS" => urls(&self.hsm),
            "KEYVAULT_BACKUP_HSM_KEYS" => environment(name).map(|keys| self.keys(&keys)),
            name => environment_of(name, &self.named()),
        };
        Ok(App::build(&Config::read(lookup, Needs::Backup)?)?)
    }

    fn named(&self) -> Vec<&SourceName> {
        self.vault.iter().chain(&self.hsm).map(Source::name).collect()
    }

    /// The keys, `HSM/KEY`, of the HSMs that were named.
    fn keys(&self, keys: &str) -> String {
        let of = |key: &str| key.split_once('/').and_then(|(hsm, _)| hsm.parse::<SourceName>().ok());
        let is_named = |key: &&str| of(key).is_some_and(|of| self.hsm.iter().any(|hsm| *hsm.name() == of));
        parts(keys).filter(is_named).collect::<Vec<_>>().join(" ")
    }
}

fn urls(sources: &[Source]) -> Option<String> {
    let urls: Vec<_> = sources.iter().map(ToString::to_string).collect();
    Some(urls.join(" ")).filter(|urls| !urls.is_empty())
}

/// Runs the command. The exit code is 0 if all is well, 1 if something has to be done or is unknown, 2 if nothing could
/// be checked.
///
/// # Errors
/// When settings are wrong, with all faults at once.
pub async fn run(args: PreflightArgs, format: Format) -> Done {
    let (app, clock) = (args.app()?, Clock::system());
    let fixes = if args.fix { fix::make_missing(&app, &clock).await } else { Vec::new() };
    if !format.is_json() {
        let to = Stream::beside(format);
        to.print(&page::fixes(&fixes, to.width()))?;
    }
    let report = preflight::check(&app, args.scope(), &clock).await;
    print(&report, args.severity, fixes, format, &clock)?;
    Ok(match &report {
        report if report.is_blind() => Exit::None,
        report if report.is_well() => Exit::All,
        _ => Exit::Part,
    })
}

fn print(
    report: &Report,
    at_least: Severity,
    fixes: Vec<Fix>,
    format: Format,
    clock: &Clock,
) -> std::io::Result<()> {
    let groups = report.groups(at_least);
    let hidden = report.groups(Severity::Info).len() - groups.len();
    match format {
        Format::Json => output::json(&Preflight::new(report, at_least, clock.now()).with_fixes(fixes)),
        Format::Tsv => page::table(&groups, report).print(format),
        Format::Table | Format::Wide => {
            Stream::Out.print(&page::text(&groups, hidden, report, Stream::Out.width()))
        }
    }
}

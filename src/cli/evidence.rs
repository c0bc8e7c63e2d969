//! `evidence`: what the daily evidence records of a period say, as files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};

use super::{
    Done, Exit, Failed,
    output::{self, Column, Format, Table, count},
};
use crate::{
    api::shapes::{evidence::EvidenceReport, terminal::EvidenceWritten},
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{day::Day, evidence::Report, source::SourceName},
    evidence::{self, File},
};

/// Write what the daily evidence records of a period say: a page made for print, the same as JSON and CSV, and the SHA-256
/// of each. The files are made from these records alone, so a past period gives the same bytes each time. The exit code is
/// 1 if a day has no record, and 2 if none has.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// The first day, in UTC
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// The last day: before today, and at most 400 days in all
    #[arg(long, value_name = "DAY")]
    to: Day,
    /// Only this vault or Managed HSM, by its name; may be repeated
    #[arg(long, value_name = "NAME")]
    source: Vec<SourceName>,
    /// The directory for the files; it is made if it is not there, and files of these names are replaced
    #[arg(id = "directory", long = "output", value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
    /// Print the result as table, wide, json or tsv
    // By its id it stands for the argument of every command, whose long name this command has for its files.
    #[arg(id = "output", short = 'o', long = "format", value_name = "FORMAT", value_enum, default_value_t = Format::Table, hide_possible_values = true)]
    _format: Format,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the storage cannot be read, the period has not ended, or a file cannot be written.
pub async fn run(args: EvidenceArgs, format: Format) -> Done {
    let app = App::build(&Config::read(environment, Needs::Storage)?)?;
    let today = Day::of(Clock::system().now());
    let report = evidence::report::report(&app, (args.from, args.to), args.source, today).await?;
    let files = if report.recorded() == 0 { Vec::new() } else { made(&report)? };
    write(&args.directory, &files)?;
    if format.is_json() {
        output::json(&EvidenceWritten::new(&report, &args.directory, &files))?;
    } else {
        print(&report, &files, format)?;
    }
    Ok(match (report.recorded(), report.gaps().next()) {
        (0, _) => Exit::None,
        (_, Some(_)) => Exit::Part,
        (_, None) => Exit::All,
    })
}

fn made(report: &Report) -> Result<Vec<File>, Failed> {
    let json = EvidenceReport::from(report).text().map_err(|error| {
        Failed::new(format!("the report cannot be JSON: {error}"), "report this as a defect of this program")
    })?;
    let mut files = vec![
        File { name: evidence::HTML, text: evidence::html(report) },
        File { name: evidence::JSON, text: json },
        File { name: evidence::CSV, text: evidence::csv(report) },
    ];
    files.push(evidence::sums(&files));
    Ok(files)
}

/// Writes the files, the list of their digests last.
fn write(directory: &Path, files: &[File]) -> Result<(), Failed> {
    let failed = |what: &Path, error: std::io::Error| {
        Failed::new(
            format!("{} cannot be written: {error}", what.display()),
            "name a directory with --output in which you may write",
        )
    };
    if !files.is_empty() {
        fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    }
    for file in files {
        let path = directory.join(file.name);
        fs::write(&path, &file.text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn print(report: &Report, files: &[File], format: Format) -> std::io::Result<()> {
    let (recorded, days) = (report.recorded(), count(report.days.len(), "day"));
    if recorded == 0 {
        let why =
            "no day of the period has a record, so nothing was written; the keeper makes one each night";
        return output::aside(format, why);
    }
    let mut table = Table::new(&[Column::name("file")], &[Column::name("sha256")]);
    for file in files {
        table.push([file.name.into(), file.sha256().to_string().into()]);
    }
    table.print(format)?;
    output::aside(format, format_args!("{recorded} of {days} have a record"))?;
    let gaps: Vec<_> = report.gaps().map(|day| day.to_string()).collect();
    if !gaps.is_empty() {
        output::aside(format, format_args!("no record: {}", gaps.join(", ")))?;
    }
    Ok(())
}

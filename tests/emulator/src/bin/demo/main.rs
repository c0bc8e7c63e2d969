//! `cargo demo`: a vault of a thousand objects, backed up for two nights and restored by the real binary, forty nights of retention, a damaged backup, and a drill.
//!
//! Nothing but Rust is needed: Azure and the Functions host are played by this crate, on loopback. `tests/demo` builds the
//! product and this, and starts this. Each chapter of the story is a module of its own, and takes the stage as the one before left it:
//!
//! 1. [`scene`]: a vault is filled, the host starts;
//! 2. [`first_night`]: everything is backed up, in spite of what goes wrong;
//! 3. [`second_night`]: a few things change, and only those are backed up;
//! 4. [`lost`]: three objects are deleted and purged, and come back over HTTP;
//! 5. [`standby`]: the whole vault goes into an empty one, and the two are compared;
//! 6. [`hsm`]: a Managed HSM is backed up by its timer, a key comes back, then everything is replaced;
//! 7. [`retention`]: a small vault has forty nights with a keeper, which lets old backups go;
//! 8. [`verify`]: a stored backup is damaged by hand, found by the keeper, and replaced;
//! 9. [`drill`]: the keeper rehearses a restore, takes the time, and removes what it restored;
//! 10. the sum;
//! 11. [`stay`]: on request, everything stays up to be played with.

mod drill;
mod first_night;
mod hsm;
mod lost;
mod night;
mod product;
mod restore;
mod retention;
mod scene;
mod second_night;
mod stage;
mod standby;
mod stay;
mod story;
mod verify;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use serde::Serialize;

use self::{night::Night, restore::Numbers, story::Story};

/// Anything that goes wrong ends the demo.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Backs up a vault of a thousand objects on an emulator, for two nights, and restores it.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Print one JSON object on standard output; the story goes to standard error.
    #[arg(long)]
    json: bool,
    /// The product's binary.
    #[arg(long, hide = true)]
    program: PathBuf,
    /// Leave everything up and print how to call it, until Ctrl-C.
    #[arg(long)]
    stay: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    first_night: Night,
    second_night: Night,
    /// Both restores together.
    restore: Numbers,
    hsm: hsm::Numbers,
    retention: retention::Numbers,
    verify: verify::Numbers,
    drill: drill::Numbers,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(tell(&Arguments::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(arguments: &Arguments) -> Result<()> {
    let mut story = Story::new(arguments.json);
    story
        .title("keyvault-backup: two nights of a vault, a bad day, an HSM, and forty nights of retention")?;
    let stage = scene::tell(&mut story, &arguments.program).await?;
    let first_night = first_night::tell(&mut story, &stage).await?;
    let second_night = second_night::tell(&mut story, &stage).await?;
    let lost = lost::tell(&mut story, &stage).await?;
    let standby = standby::tell(&mut story, &stage).await?;
    let hsm = Box::pin(hsm::tell(&mut story, &stage)).await?;
    let retention = Box::pin(retention::tell(&mut story, &stage.tool)).await?;
    let verify = Box::pin(verify::tell(&mut story, &stage.tool)).await?;
    let drill = Box::pin(drill::tell(&mut story, &stage.tool)).await?;
    let restore = lost.and(standby);
    let report = Report { first_night, second_night, restore, hsm, retention, verify, drill };
    end(&mut story, &report, &[("Lost", lost), ("Standby", standby)])?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    if arguments.stay {
        stay::tell(&mut story, &stage).await?;
    }
    Ok(())
}

fn end(story: &mut Story, report: &Report, restores: &[(&str, Numbers)]) -> Result<()> {
    story.chapter("The sum")?;
    story.line("", "listed = backed up + skipped + failed")?;
    for (label, night) in [("Night 1", &report.first_night), ("Night 2", &report.second_night)] {
        story.line(label, &night.sum())?;
    }
    story.line("", "planned = restored + failed, besides what was never backed up")?;
    for (label, restored) in restores {
        story.line(label, &restored.sum())?;
    }
    story.line("", "points = kept + let go")?;
    story.line("Retention", &report.retention.sum())?;
    story.line("", "damaged = found = replaced")?;
    story.line("Verify", &report.verify.sum())?;
    story.line("", "restored, compared, timed, and removed")?;
    story.line("Drill", &report.drill.sum())?;
    let came_back = report.restore.equal && report.restore.failed == 0;
    let kept = report.retention.is_good() && report.verify.is_good() && report.drill.is_good();
    if came_back && report.hsm.is_good() && kept {
        return Ok(());
    }
    Err("not everything came back as it was, or was found".into())
}

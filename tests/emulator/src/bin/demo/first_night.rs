//! Chapter 2: everything is backed up, in spite of what goes wrong.

use super::{
    Result,
    night::{self, Night},
    scene::{self, LEGACY, OBJECTS, PAYROLL},
    stage::{Stage, first_night},
    story::Story,
};

/// Tells the chapter.
pub(crate) async fn tell(story: &mut Story, stage: &Stage) -> Result<Night> {
    story.chapter("Night 1: everything is new")?;
    let night = night::play(story, stage, first_night()).await?;
    let run = night::run_of(first_night())?;
    stage.tool.show(story, &["show", &run, "--vault", &stage.vault.url()]).await?;
    let managed = scene::managed(&stage.vault);
    if (night.backed_up, night.skipped, night.failed) != (OBJECTS - 2, managed, 2) {
        let expected = format!("all but {LEGACY} and {PAYROLL}, and {}", scene::managed_words(&stage.vault));
        return Err(format!("expected to back up {expected}, but {night:?}").into());
    }
    Ok(night)
}

//! Copies of backups, made by the keeper, so that no single person and no single place can lose a backup.
//!
//! [`hsms`] copies what a Managed HSM left in the landing container, where a storage administrator can delete it, into
//! the container of backups, where write protection keeps it. [`back`] brings such a copy back, for a person.

pub mod back;
pub mod hsms;
mod transfer;

use crate::{app::App, clock::Clock, error::Result, second};

/// What a pass did, in words.
#[derive(Debug, Default)]
pub struct Copied {
    /// What was done.
    pub said: Vec<String>,
    /// What failed.
    pub failed: Vec<String>,
}

/// Makes the copies that are missing. One part of it does not hold up another.
///
/// Safe to run twice, and to kill anywhere: what was copied stays, and the next pass goes on.
pub async fn all(app: &App, clock: &Clock) -> Copied {
    let mut copied = Copied::default();
    Box::pin(hsms::all(app, clock, &mut copied)).await;
    // After the copies of HSM backups, which it copies, too.
    let second = Box::pin(second::all(app, clock)).await;
    copied.second_place(second);
    copied
}

impl Copied {
    fn second_place(&mut self, copied: Result<Option<second::Copied>>) {
        match copied {
            Ok(None) => {}
            Ok(Some(copied)) => {
                self.said.push(copied.words());
                self.failed.extend(copied.errors);
            }
            Err(error) => self.failed.push(format!("second place: {error}")),
        }
    }
}

//! `notify`: whether notices arrive.

use clap::Subcommand;

use super::{
    Done, Exit, Failed,
    output::{self, Column, Format, Table},
};
use crate::{
    api::shapes::terminal::{NotifyTest, TestedTarget},
    clock::Clock,
    config::{Notify, environment},
    domain::notice::Target,
    notify::{self, Answer},
};

/// Notices to chats and other programs.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message to every target of `KEYVAULT_BACKUP_NOTIFY`, and show what came back
    #[command(after_help = "\
The heartbeat is not called: that would say that a night was clean.

The exit code is 0 if every target took the message, 1 if some did, 2 if none did.")]
    Test,
}

/// Runs the command.
///
/// # Errors
/// When no target is set, or an address cannot be used: then nothing is sent.
pub async fn run(command: NotifyCommand, format: Format) -> Done {
    let NotifyCommand::Test = command;
    let Notify { targets, faults, from, .. } = Notify::read(environment);
    if !faults.is_empty() {
        let faults: Vec<_> = faults.iter().map(|(setting, fault)| format!("{setting}: {fault}")).collect();
        return Err(Failed::new(
            faults.join("\n"),
            "correct the setting: docs/notifications.md has the forms",
        ));
    }
    if targets.is_empty() {
        return Err(Failed::new(
            "`KEYVAULT_BACKUP_NOTIFY` is not set here, so there is no target to test",
            "set it to the addresses that the app has: docs/notifications.md",
        ));
    }
    let answers = notify::test(&targets, from, Clock::system().now()).await?;
    let delivered = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    show(&answers, format)?;
    Ok(match delivered {
        all if all == answers.len() => Exit::All,
        0 => Exit::None,
        _ => Exit::Part,
    })
}

fn show(answers: &[(&Target, Answer)], format: Format) -> Result<(), Failed> {
    if format.is_json() {
        let targets = answers.iter().map(|(target, answer)| TestedTarget::new(target, answer)).collect();
        return Ok(output::json(&NotifyTest { targets })?);
    }
    let details = [Column::name("form"), Column::name("delivered"), Column::prose("answer")];
    let mut table = Table::new(&[Column::name("host")], &details);
    for (target, answer) in answers {
        let form: &'static str = target.form().into();
        let delivered = if answer.is_ok() { "yes" } else { "no" };
        table.push([target.host().into(), form.into(), delivered.into(), answer.words().into()]);
    }
    Ok(table.print(format)?)
}

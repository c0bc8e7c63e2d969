//! What becomes of the lines a handler prints.

use std::{
    io::{BufRead, BufReader, Read},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;

/// The severity the host gives a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Standard output.
    Information,
    /// Standard error with "warn" somewhere in the line.
    Warning,
    /// Any other line on standard error.
    Error,
}

/// One log record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The severity.
    pub level: Level,
    /// The line without its end, and without the prefix that sends it to a system category.
    pub text: String,
    /// Whether it is in `Host.Function.Console`, where users look. Otherwise it is for the system, for tooling, or the host's own.
    pub function_console: bool,
}

/// Where a line came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// The log of one host.
pub(super) struct Logs {
    lines: Mutex<Vec<LogLine>>,
    echo: bool,
    stderr_is_errors: bool,
}

impl Logs {
    pub(super) fn new(echo: bool, stderr_is_errors: bool) -> Self {
        Self { lines: Mutex::default(), echo, stderr_is_errors }
    }

    pub(super) fn all(&self) -> Vec<LogLine> {
        self.lines.lock().clone()
    }

    /// A line of the host itself.
    pub(super) fn host(&self, level: Level, text: impl Into<String>) {
        self.push(LogLine { level, text: text.into(), function_console: false });
    }

    /// The host puts the last three lines of standard error into its exception.
    pub(super) fn last_errors(&self) -> String {
        let lines = self.lines.lock();
        let stderr =
            lines.iter().rev().filter(|line| line.function_console && line.level != Level::Information);
        let mut last: Vec<_> = stderr.take(3).map(|line| line.text.as_str()).collect();
        last.reverse();
        last.join(", ")
    }

    /// Reads a stream of the handler to its end on a thread of its own: a full pipe would stop the handler.
    pub(super) fn follow(self: &Arc<Self>, stream: Stream, source: impl Read + Send + 'static) {
        let logs = Arc::clone(self);
        // Bytes, not `lines()`: one invalid byte must not end the log.
        let read = move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                logs.line(stream, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
                line.clear();
            }
        };
        if thread::Builder::new().name("handler-log".into()).spawn(read).is_err() {
            self.host(Level::Error, "The handler's output cannot be read.");
        }
    }

    fn line(&self, stream: Stream, line: &str) {
        const SYSTEM: &str = "LanguageWorkerConsoleLog";
        const TOOLING: &str = "azfuncjsonlog:";
        let (text, function_console) = match (line.strip_prefix(SYSTEM), line.strip_prefix(TOOLING)) {
            (Some(rest), _) | (None, Some(rest)) => (rest, false),
            (None, None) => (line, true),
        };
        self.push(LogLine {
            level: level(stream, self.stderr_is_errors, line),
            text: text.to_owned(),
            function_console,
        });
    }

    fn push(&self, line: LogLine) {
        if self.echo {
            eprintln!("[{:?}] {}", line.level, line.text);
        }
        self.lines.lock().push(line);
    }
}

fn level(stream: Stream, stderr_is_errors: bool, line: &str) -> Level {
    if stream == Stream::Out {
        return Level::Information;
    }
    let line = line.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| line.contains(word));
    match stderr_is_errors {
        true if any(&["warn"]) => Level::Warning,
        true => Level::Error,
        false if any(&["error", "fail", "severe", "unhandled exception"]) => Level::Error,
        false => Level::Information,
    }
}

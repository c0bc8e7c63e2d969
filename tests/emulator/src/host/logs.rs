//! What becomes of the lines a handler prints.

use std::{
    io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write as _},
    process::Stdio,
    sync::{
        Arc, Weak,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
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

/// A line that the host writes into a stream of the handler to know when all lines before it were read.
const MARK: &str = "\u{0}everything before this line was read";

/// How long the reader of a stream may take to come to the mark.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// The host's end of a stream that the handler writes to.
struct Pipe {
    writer: PipeWriter,
    marks: Receiver<()>,
}

impl Pipe {
    /// Waits until what the handler wrote so far was read.
    fn drain(&mut self) {
        if self.writer.write_all(format!("{MARK}\n").as_bytes()).is_ok() {
            let _ = self.marks.recv_timeout(READ_WITHIN);
        }
    }
}

/// The log of one host.
pub(super) struct Logs {
    lines: Mutex<Vec<LogLine>>,
    /// Those of the process that was started last.
    pipes: Mutex<Vec<Pipe>>,
    echo: bool,
    stderr_is_errors: bool,
}

impl Logs {
    pub(super) fn new(echo: bool, stderr_is_errors: bool) -> Self {
        Self { lines: Mutex::default(), pipes: Mutex::default(), echo, stderr_is_errors }
    }

    /// Every line so far, those included that the handler has written and nobody has read yet.
    pub(super) fn all(&self) -> Vec<LogLine> {
        self.pipes.lock().iter_mut().for_each(Pipe::drain);
        self.lines.lock().clone()
    }

    /// A line of the host itself.
    pub(super) fn host(&self, level: Level, text: impl Into<String>) {
        self.push(LogLine { level, text: text.into(), function_console: false });
    }

    /// The host puts the last three lines of standard error into its exception.
    pub(super) fn last_errors(&self) -> String {
        let lines = self.all();
        let stderr =
            lines.iter().rev().filter(|line| line.function_console && line.level != Level::Information);
        let mut last: Vec<_> = stderr.take(3).map(|line| line.text.as_str()).collect();
        last.reverse();
        last.join(", ")
    }

    /// The standard output and the standard error of a process that is about to start.
    ///
    /// Each is read to its end on a thread of its own: a full pipe would stop the handler.
    pub(super) fn streams(self: &Arc<Self>) -> io::Result<(Stdio, Stdio)> {
        let (out, out_end) = self.follow(Stream::Out)?;
        let (err, err_end) = self.follow(Stream::Err)?;
        let mut pipes = self.pipes.lock();
        pipes.iter_mut().for_each(Pipe::drain);
        *pipes = vec![out, err];
        Ok((out_end.into(), err_end.into()))
    }

    fn follow(self: &Arc<Self>, stream: Stream) -> io::Result<(Pipe, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let handlers = writer.try_clone()?;
        let (mark, marks) = mpsc::channel();
        // Not the log itself: it holds the writer, without whose end the reader has none.
        let logs = Arc::downgrade(self);
        thread::Builder::new()
            .name("handler-log".into())
            .spawn(move || Self::read(&logs, stream, reader, &mark))?;
        Ok((Pipe { writer, marks }, handlers))
    }

    /// Reads bytes, not `lines()`: one invalid byte must not end the log.
    fn read(logs: &Weak<Self>, stream: Stream, source: PipeReader, mark: &Sender<()>) {
        let mut source = BufReader::new(source);
        let mut bytes = Vec::new();
        while source.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\r', '\n']);
            // The mark may follow a line that has no end yet.
            let (line, marked) = text.strip_suffix(MARK).map_or((text, false), |line| (line, true));
            if let Some(logs) = logs.upgrade().filter(|_| !(marked && line.is_empty())) {
                logs.line(stream, line);
            }
            if marked {
                let _ = mark.send(());
            }
            bytes.clear();
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

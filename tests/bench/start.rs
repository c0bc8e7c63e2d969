//! From the start of the process to its first answer, and what it weighs then.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
    time::sleep,
};

use crate::{
    Result,
    memory::mebibytes,
    size::Size,
    stage::{PRODUCT, Stage, Storage},
    table::{Table, Target},
};

/// Between two tries to connect.
const TRY: Duration = Duration::from_micros(200);

/// After this, whatever a start had to do is done.
const IDLE: Duration = Duration::from_millis(500);

/// What is started, and from where.
struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    /// The folder of the package. It is gone when this is.
    folder: TempDir,
}

impl Program {
    /// The program that was built with this.
    fn built() -> Result<Self> {
        Ok(Self { path: PRODUCT.into(), arguments: vec!["serve".to_owned()], folder: tempfile::tempdir()? })
    }

    /// That of a package, unpacked: what the host reads in its `host.json`.
    fn of_package(package: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        zip::ZipArchive::new(File::open(package)?)?.extract(&folder)?;
        let host: Value = serde_json::from_reader(File::open(folder.path().join("host.json"))?)?;
        let handler = &host["customHandler"]["description"];
        let path = handler["defaultExecutablePath"].as_str().ok_or("host.json names no program")?;
        let arguments = serde_json::from_value(handler["arguments"].clone())?;
        Ok(Self { path: folder.path().join(path), arguments, folder })
    }
}

/// Starts the handler again and again: the one of a package, or the one that was built with this.
pub async fn measure(table: &mut Table, size: &Size, package: Option<&Path>) -> Result<()> {
    let program = package.map_or_else(Program::built, Program::of_package)?;
    let stage = Stage::with(0).await?;
    let mut storage = stage.storage(None);
    // The system's own certificate authorities, as on the platform: there are more of them.
    storage.env.retain(|(name, _)| name != "SSL_CERT_FILE");
    let (mut starts, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..size.starts {
        let (start, weight) = start(&program, &storage).await?;
        starts.push(start);
        idle.push(weight);
    }
    let from = if package.is_some() { " from the package" } else { "" };
    let what = format!("start{from} to first answer, median of {}", size.starts);
    starts.sort_by(f64::total_cmp);
    let ends = starts.first().zip(starts.last());
    let spread = ends.map_or_else(String::new, |(least, most)| format!("{least:.2} to {most:.2} ms"));
    table.figure(what, spread, median(starts), " ms", Target::Most(20.0));
    table.figure("idle memory", "", median(idle), " MiB", Target::Most(15.0));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Milliseconds to the first answer, and MiB when idle.
async fn start(program: &Program, storage: &Storage) -> Result<(f64, f64)> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).current_dir(&program.folder);
    command.env_clear().envs(storage.env.iter().cloned());
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    let began = Instant::now();
    let mut handler = command.stdout(Stdio::null()).kill_on_drop(true).spawn()?;
    while !answers(port).await {
        if let Some(exit) = handler.try_wait()? {
            return Err(format!("the handler ended: {exit}").into());
        }
        sleep(TRY).await;
    }
    let took = began.elapsed().as_secs_f64() * 1000.0;
    sleep(IDLE).await;
    let weight = handler.id().and_then(|pid| mebibytes(pid, "VmRSS")).ok_or("the handler is gone")?;
    handler.kill().await?;
    Ok((took, weight))
}

async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut answer = [0; 12];
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    asked.is_ok() && stream.read_exact(&mut answer).await.is_ok() && answer == *b"HTTP/1.1 200"
}

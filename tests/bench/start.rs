//! From the start of the process to its first answer, and what it weighs then.

use std::{
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

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

/// Starts the handler again and again.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let stage = Stage::with(0).await?;
    let mut storage = stage.storage(None);
    // The system's own certificate authorities, as on the platform: there are more of them.
    storage.env.retain(|(name, _)| name != "SSL_CERT_FILE");
    let (mut starts, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..size.starts {
        let (start, weight) = start(&storage).await?;
        starts.push(start);
        idle.push(weight);
    }
    let what = format!("start to first answer, median of {}", size.starts);
    table.figure(what, "", median(starts), " ms", Target::Most(20.0));
    table.figure("idle memory", "", median(idle), " MiB", Target::Most(15.0));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Milliseconds to the first answer, and MiB when idle.
async fn start(storage: &Storage) -> Result<(f64, f64)> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let mut command = Command::new(PRODUCT);
    command.arg("serve").env_clear().envs(storage.env.iter().cloned());
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

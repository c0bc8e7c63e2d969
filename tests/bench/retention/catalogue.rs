//! Years of nights, written straight into storage: as the program would have left them, without their plans.

use std::collections::BTreeSet;

use azure_core::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, read::GzDecoder};
use keyvault_backup::domain::{digest::Digest, run::countdown};
use keyvault_backup_emulator::{Keeping, StorageHandle};
use serde_json::{Value, json};
use time::{
    Duration, OffsetDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

use crate::{Result, stage::CONTAINER};

/// The vault of the stage.
pub const VAULT: &str = "kv-bench";

/// Every night changes one of so many parts of the vault: 2 % of its objects.
pub const PARTS: usize = 50;

/// The size of every backup.
const BYTES: usize = 4096;

const RUN: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z-nightly");

/// A vault's index from night to night.
pub struct Index {
    header: Value,
    summary: Value,
    parts: Vec<Part>,
    backup: Bytes,
    /// Whether each backup has its entry, as the program writes it. It takes more room than the backup.
    entries: bool,
    random: fastrand::Rng,
}

/// Some lines, and their packed form, which is made again only when they change.
struct Part {
    lines: Vec<Value>,
    packed: Packed,
}

/// A piece of a packed file that can stand beside any other.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    sum: Crc,
}

impl Packed {
    fn of(lines: &[Value]) -> Result<Self> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let mut packed = Self { bytes: Vec::with_capacity(text.len()), sum: Crc::new() };
        packed.sum.update(&text);
        let mut compress = Compress::new(Compression::default(), false);
        compress.compress_vec(&text, &mut packed.bytes, FlushCompress::Full)?;
        if compress.total_in() == text.len() as u64 { Ok(packed) } else { Err("a part is not whole".into()) }
    }
}

/// Puts packed pieces together as one file.
fn file(pieces: &[&Packed]) -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    const EMPTY_LAST_BLOCK: [u8; 2] = [3, 0];
    let (mut bytes, mut sum) = (HEADER.to_vec(), Crc::new());
    for piece in pieces {
        bytes.extend_from_slice(&piece.bytes);
        sum.combine(&piece.sum);
    }
    bytes.extend_from_slice(&EMPTY_LAST_BLOCK);
    bytes.extend_from_slice(&sum.sum().to_le_bytes());
    bytes.extend_from_slice(&sum.amount().to_le_bytes());
    bytes
}

impl Index {
    /// The index that a first backup left.
    pub fn of(account: &StorageHandle) -> Result<Self> {
        let prefix = format!("vaults/{VAULT}/manifests/");
        let name = account.blobs(CONTAINER).into_iter().find(|name| name.starts_with(&prefix));
        let blob = account.blob(CONTAINER, &name.ok_or("there is no manifest")?).ok_or("it is gone")?;
        let text = std::io::read_to_string(GzDecoder::new(&blob.bytes[..]))?;
        let mut lines: Vec<Value> =
            text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
        let (summary, header) = (lines.pop().ok_or("no summary")?, lines.remove(0));
        let size = lines.len().div_ceil(PARTS).max(1);
        let parts = lines.chunks(size).map(|lines| Part { lines: lines.to_vec(), packed: Packed::default() });
        Ok(Self {
            header,
            summary,
            parts: parts.collect(),
            backup: Bytes::from(vec![7; BYTES]),
            entries: false,
            random: fastrand::Rng::with_seed(1),
        })
    }

    /// The same index, whose backups have their entries from now on.
    pub fn with_entries(self) -> Self {
        Self { entries: true, ..self }
    }

    /// Writes a night: its backups and its manifest. The first one backs up everything.
    pub fn night(&mut self, number: usize, at: OffsetDateTime, account: &StorageHandle) -> Result<()> {
        let (run, time) = (at.format(RUN)?, at.format(&Rfc3339)?);
        let count = self.parts.len();
        let changed = number % count;
        let before = (changed + count - 1) % count;
        let touched: BTreeSet<usize> =
            if number == 0 { (0..count).collect() } else { [before, changed].into() };
        let mut backed_up = 0;
        for part in touched {
            let is_changed = number == 0 || part == changed;
            for line in 0..self.parts[part].lines.len() {
                if is_changed {
                    self.change(part, line, &run, &time, account)?;
                    backed_up += 1;
                } else {
                    self.parts[part].lines[line]["object"]["fared"] = json!("unchanged");
                }
            }
            self.parts[part].packed = Packed::of(&self.parts[part].lines)?;
        }
        self.close(&run, at, backed_up, account)
    }

    /// A new version of an object, and its backup.
    fn change(
        &mut self,
        part: usize,
        line: usize,
        run: &str,
        time: &str,
        account: &StorageHandle,
    ) -> Result<()> {
        let mut hex = |digits: usize| (0..digits).map(|_| self.random.digit(16)).collect::<String>();
        let new = [("newest", 32), ("version_ids", 32), ("version_states", 32)];
        let new = new.into_iter().chain([("order", 32), ("fingerprint", 32)]);
        let new: Vec<_> = new.map(|(key, digits)| (key, hex(digits))).collect();
        let object = &mut self.parts[part].lines[line]["object"];
        object["fared"] = json!("backed-up");
        let entry = &mut object["entry"];
        let before = entry["run"].take();
        for (key, value) in new {
            entry[key] = json!(value);
        }
        (entry["previous"], entry["run"], entry["taken"]) = (before, json!(run), json!(time));
        entry["versions"] = json!(entry["versions"].as_u64().ok_or("no versions")? + 1);
        entry["bytes"] = json!(BYTES);
        entry["sha256"] = json!(Digest::of(&self.backup).to_string());
        let text = |key: &str| entry[key].as_str().ok_or(format!("no {key}"));
        let name = format!("vaults/{VAULT}/runs/{run}/objects/{}/{}/backup", text("kind")?, text("name")?);
        let record = if self.entries { entry.to_string() } else { String::new() };
        let metadata: &[(&str, &str)] = if self.entries { &[("entry", &record)] } else { &[] };
        account.put_blob(CONTAINER, &name, self.backup.clone(), metadata);
        Ok(())
    }

    fn close(
        &mut self,
        run: &str,
        at: OffsetDateTime,
        backed_up: usize,
        account: &StorageHandle,
    ) -> Result<()> {
        let time = at.format(&Rfc3339)?;
        let objects: usize = self.parts.iter().map(|part| part.lines.len()).sum();
        for (record, of) in [(&mut self.header, "manifest"), (&mut self.summary, "summary")] {
            let record = &mut record[of];
            (record["run"], record["planned"], record["full_pass"]) = (json!(run), json!(time), json!(time));
        }
        self.header["manifest"]["by"] = json!({ "via": "timer" });
        let summary = &mut self.summary["summary"];
        summary["finished"] = json!((at + Duration::minutes(10)).format(&Rfc3339)?);
        let numbers = &mut summary["numbers"];
        (numbers["backed_up"], numbers["unchanged"]) = (json!(backed_up), json!(objects - backed_up));
        let packed = |line: &Value| Packed::of(std::slice::from_ref(line));
        let (header, end) = (packed(&self.header)?, packed(&self.summary)?);
        let lines = self.parts.iter().map(|part| &part.packed);
        let pieces: Vec<_> = [&header].into_iter().chain(lines).chain([&end]).collect();
        let name = format!("vaults/{VAULT}/manifests/{}-{run}.jsonl.gz", countdown(at));
        let summary = self.summary["summary"].to_string();
        account.put_blob(CONTAINER, &name, file(&pieces), &[("summary", &summary)]);
        Ok(())
    }
}

/// An account that keeps versions, as the templates make it.
pub fn keep_versions(account: &StorageHandle) {
    account.keep(Keeping { versions: true, deleted_days: None });
}

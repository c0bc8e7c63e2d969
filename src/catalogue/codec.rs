//! The stored form of plans and manifests: compressed JSON lines with a header and a trailer line.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _},
};

use azure_core::Bytes;
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    domain::{
        manifest::{Line, MANIFEST_FORMAT, Summary},
        plan::{PLAN_FORMAT, Plan, PlanHeader},
        planned::Planned,
        record::Format,
        retention::{DROP_FORMAT, Drop, DroppedBlob},
        run::RunId,
        supplement::{SUPPLEMENT_FORMAT, Supplement, SupplementHeader},
    },
    error::{Error, Result, damaged},
    stored,
};

/// The longest line, unpacked. An object's has at most about ten kilobytes; a header's length depends on the names
/// in it.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

/// The largest manifest, unpacked. One of 25,000 objects has about 30 MiB.
const MANIFEST_LIMIT: u64 = 1024 * 1024 * 1024;

/// A line of a stored plan or supplement. The last line has the number of objects, so that none can go missing.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
enum PlanLine {
    Plan(PlanHeader),
    Supplement(SupplementHeader),
    Object(Planned),
    End(usize),
}

/// A line of a stored manifest.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ManifestLine {
    Manifest(PlanHeader),
    Object(Line),
    Summary(Summary),
}

/// A line of the record of a drop.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DropLine {
    Drop(Drop),
    Blob(DroppedBlob),
    End(usize),
}

/// Writes the record of a drop.
pub(super) fn write_drop(drop: &Drop, blobs: &[DroppedBlob]) -> std::io::Result<Vec<u8>> {
    let mut out = LineWriter::default();
    out.push(&DropLine::Drop(drop.clone()))?;
    for blob in blobs {
        out.push(&DropLine::Blob(blob.clone()))?;
    }
    out.push(&DropLine::End(blobs.len()))?;
    out.finish()
}

/// Reads the record of a drop to its last line.
pub(super) fn read_drop(blob: &str, bytes: Bytes) -> Result<(Drop, Vec<DroppedBlob>)> {
    let mut lines = LineReader::new(blob, bytes);
    let Some(DropLine::Drop(drop)) = lines.next_line(Some(DROP_FORMAT))? else {
        return Err(lines.damaged("it does not start with a drop"));
    };
    let mut blobs = Vec::new();
    loop {
        match lines.next_line(None)? {
            Some(DropLine::Blob(blob)) => blobs.push(blob),
            Some(DropLine::End(count)) if count == blobs.len() => break lines.end()?,
            _ => return Err(lines.damaged("it ends early")),
        }
    }
    Ok((drop, blobs))
}

/// Writes a plan.
pub(super) fn write_plan(plan: &Plan) -> std::io::Result<Vec<u8>> {
    write(&PlanLine::Plan(plan.header.clone()), &plan.objects)
}

/// Writes a supplement of a plan.
pub(super) fn write_supplement(supplement: &Supplement) -> std::io::Result<Vec<u8>> {
    write(&PlanLine::Supplement(supplement.header.clone()), &supplement.objects)
}

fn write(first: &PlanLine, objects: &[Planned]) -> std::io::Result<Vec<u8>> {
    let mut out = LineWriter::default();
    out.push(first)?;
    for object in objects {
        out.push(&PlanLine::Object(object.clone()))?;
    }
    out.push(&PlanLine::End(objects.len()))?;
    out.finish()
}

/// Reads a plan to its last line.
pub(super) fn read_plan(blob: &str, bytes: Bytes) -> Result<Plan> {
    let mut lines = LineReader::new(blob, bytes);
    let Some(PlanLine::Plan(header)) = lines.next_line(Some(PLAN_FORMAT))? else {
        return Err(lines.damaged("it does not start with a plan"));
    };
    Ok(Plan { header, objects: read_objects(lines)? })
}

/// Reads a supplement to its last line.
pub(super) fn read_supplement(blob: &str, bytes: Bytes) -> Result<Supplement> {
    let mut lines = LineReader::new(blob, bytes);
    let Some(PlanLine::Supplement(header)) = lines.next_line(Some(SUPPLEMENT_FORMAT))? else {
        return Err(lines.damaged("it does not start with a supplement"));
    };
    Ok(Supplement { header, objects: read_objects(lines)? })
}

/// Reads the objects of a plan: its lines after the header.
fn read_objects(mut lines: LineReader) -> Result<Vec<Planned>> {
    let (mut objects, mut runs) = (Vec::new(), HashSet::new());
    loop {
        match lines.next_line(None)? {
            Some(PlanLine::Object(object)) => objects.push(with_shared_run(object, &mut runs)),
            Some(PlanLine::End(count)) if count == objects.len() => break lines.end()?,
            _ => return Err(lines.damaged("it ends early")),
        }
    }
    if !objects.iter().is_sorted_by(|a, b| a.key() < b.key()) {
        return Err(lines.damaged("its objects are out of order"));
    }
    objects.shrink_to_fit();
    Ok(objects)
}

/// Thousands of objects have their previous backups in a few runs: each name is kept once.
fn with_shared_run(mut object: Planned, runs: &mut HashSet<RunId>) -> Planned {
    if let Some(run) = &mut object.previous {
        match runs.get(run) {
            Some(known) => *run = known.clone(),
            None => drop(runs.insert(run.clone())),
        }
    }
    object
}

/// Writes a manifest line by line.
pub(super) struct ManifestWriter(LineWriter);

impl ManifestWriter {
    pub(super) fn new(header: &PlanHeader) -> std::io::Result<Self> {
        let mut out = LineWriter::default();
        out.push(&ManifestLine::Manifest(header.clone()))?;
        Ok(Self(out))
    }

    pub(super) fn push(&mut self, line: Line) -> std::io::Result<()> {
        self.0.push(&ManifestLine::Object(line))
    }

    pub(super) fn finish(mut self, summary: &Summary) -> std::io::Result<Vec<u8>> {
        self.0.push(&ManifestLine::Summary(summary.clone()))?;
        self.0.finish()
    }
}

/// A reader of a manifest, line by line, in constant memory beyond its compressed bytes. Those are checked for
/// damage before the first line is returned.
pub struct ManifestReader {
    header: PlanHeader,
    lines: LineReader,
    count: u32,
    summary: Option<Summary>,
    failed: bool,
}

impl ManifestReader {
    pub(super) fn new(blob: &str, bytes: Bytes) -> Result<Self> {
        check(blob, bytes.clone())?;
        let mut lines = LineReader::new(blob, bytes);
        match lines.next_line(Some(MANIFEST_FORMAT))? {
            Some(ManifestLine::Manifest(header)) => {
                Ok(Self { header, lines, count: 0, summary: None, failed: false })
            }
            _ => Err(lines.damaged("it does not start with a manifest")),
        }
    }

    /// The plan's header, with which the manifest starts.
    pub fn header(&self) -> &PlanHeader {
        &self.header
    }

    /// The run's summary, once every line has been read.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    fn read(&mut self) -> Result<Option<Line>> {
        match self.lines.next_line(None)? {
            Some(ManifestLine::Object(line)) => {
                self.count += 1;
                Ok(Some(line.of_form(self.header.v)))
            }
            Some(ManifestLine::Summary(summary)) if summary.lines == self.count => {
                self.lines.end()?;
                self.summary = Some(summary);
                Ok(None)
            }
            _ => Err(self.lines.damaged("it ends early")),
        }
    }
}

impl Iterator for ManifestReader {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.summary.is_some() {
            return None;
        }
        let line = self.read();
        self.failed = line.is_err();
        line.transpose()
    }
}

/// A writer of compressed JSON lines. Buffered, because the encoder clears its whole output buffer for each write,
/// and `serde_json` makes one for each word and comma.
struct LineWriter(BufWriter<GzEncoder<Vec<u8>>>);

impl Default for LineWriter {
    fn default() -> Self {
        Self(BufWriter::with_capacity(32 * 1024, GzEncoder::new(Vec::new(), Compression::default())))
    }
}

impl LineWriter {
    fn push(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }

    fn finish(self) -> std::io::Result<Vec<u8>> {
        self.0.into_inner()?.finish()
    }
}

/// What is decompressed at a time: as much as a match can reach back, so that the decoder seldom stops within one.
const READ_AHEAD: usize = 32 * 1024;

struct LineReader {
    blob: String,
    input: BufReader<GzDecoder<std::io::Cursor<Bytes>>>,
    line: Vec<u8>,
}

impl LineReader {
    fn new(blob: &str, bytes: Bytes) -> Self {
        let input = BufReader::with_capacity(READ_AHEAD, GzDecoder::new(std::io::Cursor::new(bytes)));
        Self { blob: blob.to_owned(), input, line: Vec::new() }
    }

    /// Reads the next line. `format` is the newest known format, for the line that has one.
    fn next_line<T: DeserializeOwned>(&mut self, format: Option<u32>) -> Result<Option<T>> {
        if !self.read()? {
            return Ok(None);
        }
        if let Some(known) = format {
            self.check_format(known)?;
        }
        serde_json::from_slice(&self.line).map(Some).map_err(|error| self.damaged(&error.to_string()))
    }

    /// Reads a line and returns whether there was one.
    fn read(&mut self) -> Result<bool> {
        self.line.clear();
        let read = (&mut self.input).take(LINE_LIMIT).read_until(b'\n', &mut self.line);
        match read {
            Ok(_) if self.line.len() as u64 == LINE_LIMIT => Err(self.damaged("a line has no end")),
            Ok(bytes) => Ok(bytes > 0),
            Err(error) => Err(self.damaged(&error.to_string())),
        }
    }

    /// Reads the end, where the checksum of the whole text is.
    fn end(&mut self) -> Result<()> {
        if self.read()? { Err(self.damaged("it continues after its end")) } else { Ok(()) }
    }

    fn check_format(&self, known: u32) -> Result<()> {
        let first: HashMap<String, Format> =
            serde_json::from_slice(&self.line).map_err(|error| self.damaged(&error.to_string()))?;
        first.into_values().try_for_each(|format| stored::refuse_newer(&self.blob, format, known))
    }

    fn damaged(&self, text: &str) -> Error {
        damaged(&self.blob, &text)
    }
}

/// Reads a manifest to its end, where the checksum of the whole text is, and keeps nothing.
pub(super) fn check(blob: &str, bytes: Bytes) -> Result<()> {
    let mut lines = LineReader::new(blob, bytes);
    match std::io::copy(&mut (&mut lines.input).take(MANIFEST_LIMIT), &mut std::io::sink()) {
        Ok(MANIFEST_LIMIT) => Err(lines.damaged("it has no end")),
        Ok(_) => Ok(()),
        Err(error) => Err(lines.damaged(&error.to_string())),
    }
}

/// A line of a manifest without the versions of blobs; `None` if it is no JSON.
fn without_versions(line: &[u8]) -> Option<serde_json::Value> {
    let mut value: serde_json::Value = serde_json::from_slice(line).ok()?;
    for entry in ["/object/entry", "/object/former"] {
        if let Some(entry) = value.pointer_mut(entry).and_then(serde_json::Value::as_object_mut) {
            entry.remove("stored");
        }
    }
    Some(value)
}

/// Whether two manifests have the same text, but for the versions of blobs. A later compressor may turn the same text into other
/// bytes.
pub(super) fn same_manifest(blob: &str, a: Bytes, b: Bytes) -> Result<bool> {
    let (mut a, mut b) = (LineReader::new(blob, a), LineReader::new(blob, b));
    while a.read()? | b.read()? {
        if a.line != b.line {
            let both = without_versions(&a.line).zip(without_versions(&b.line));
            if both.is_none_or(|(a, b)| a != b) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::{
        object::{ObjectId, ObjectKind},
        planned::Decision,
        run::Scope,
    };

    #[test]
    fn a_line_without_end_is_not_read_to_it() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::copy(&mut std::io::repeat(b' ').take(2 * LINE_LIMIT), &mut packed).unwrap();
        let bytes = Bytes::from(packed.finish().unwrap());
        assert!(read_plan("plan", bytes.clone()).unwrap_err().to_string().contains("no end"));
        assert!(ManifestReader::new("manifest", bytes).is_err());
    }

    /// A plan of two objects with previous backups in one run.
    fn plan() -> Plan {
        let planned = OffsetDateTime::UNIX_EPOCH;
        let (vault, run) = ("kv-prod".parse().unwrap(), RunId::nightly(planned));
        let header = PlanHeader::new(vault, run.clone(), Scope::Vault, planned);
        let key = |name: &str| ObjectId::new(ObjectKind::Key, name.parse().unwrap());
        let object =
            |name| Planned { previous: Some(run.clone()), ..Planned::new(key(name), Decision::Changed) };
        Plan { header, objects: ["a", "b"].map(object).to_vec() }
    }

    #[test]
    fn the_name_of_a_previous_run_is_kept_once_for_all_objects() {
        let read = read_plan("plan", write_plan(&plan()).unwrap().into()).unwrap();
        let places = read.objects.iter().map(|of| of.previous.as_ref().unwrap().as_str().as_ptr());
        assert_eq!(places.collect::<HashSet<_>>().len(), 1);
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let plan = plan();
        let whole = write_plan(&plan).unwrap();
        assert_eq!(read_plan("plan", whole.clone().into()).unwrap(), plan);
        // Some bits of the format mean nothing: then the text is the same.
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_plan("plan", damaged.into()).map_or(true, |read| read == plan), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(read_plan("plan", whole[..length].to_vec().into()).is_err(), "{length} bytes");
        }
    }
}

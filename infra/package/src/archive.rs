//! Archives whose bytes depend on the files in them alone: times and owners are the same at all times.

use std::io::{Cursor, Write as _};

use flate2::{Compression, GzBuilder};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::Result;

/// One file of an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub(crate) name: String,
    mode: u32,
    bytes: Vec<u8>,
}

impl Entry {
    /// A file that is read.
    pub fn file(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), mode: 0o644, bytes }
    }

    /// A file that is run.
    pub fn program(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), mode: 0o755, bytes }
    }

    /// The same in a folder.
    pub(crate) fn below(self, folder: &str) -> Self {
        Self { name: format!("{folder}/{}", self.name), ..self }
    }
}

/// These files as a zip.
pub fn zip(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default());
    for entry in entries {
        let options = options.unix_permissions(entry.mode);
        let written =
            writer.start_file(&entry.name, options).and_then(|()| Ok(writer.write_all(&entry.bytes)?));
        written.map_err(|error| format!("{}: {error}", entry.name))?;
    }
    Ok(writer.finish().map_err(|error| error.to_string())?.into_inner())
}

/// These files as a compressed tar.
pub fn tar_gz(entries: &[Entry]) -> Result<Vec<u8>> {
    let compressed = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut builder = tar::Builder::new(compressed);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let written = builder.append_data(&mut header, &entry.name, entry.bytes.as_slice());
        written.map_err(|error| format!("{}: {error}", entry.name))?;
    }
    let finished = builder.into_inner().and_then(flate2::write::GzEncoder::finish);
    finished.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_tar_has_names_modes_and_bytes_and_no_times_or_owners() {
        let made = || tar_gz(&[Entry::program("f/run", b"1".to_vec()), Entry::file("f/read", vec![7; 999])]);
        let bytes = made().unwrap();
        assert!(bytes == made().unwrap() && bytes[4..8] == [0; 4], "the time of gzip is not set");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), content.len()));
        }
        assert_eq!(seen, [("f/run".to_owned(), 0o755, 1), ("f/read".to_owned(), 0o644, 999)]);
    }
}

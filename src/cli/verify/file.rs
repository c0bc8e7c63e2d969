//! `verify --file`: the form of a backup in a file, judged without settings, account or network.

use std::path::Path;

use crate::{
    api::shapes::terminal::FileVerified,
    cli::{
        Done, Exit, Failed,
        file::read,
        output::{self, Column, Format, Table, bytes},
        report::form_unknown,
    },
    domain::{
        blob::{BackupBlob, BlobFault},
        digest::Digest,
        form::{Clear, Form},
        object::ObjectKind,
    },
};

/// What the form of a whole file does not say.
const NOT_KNOWN: &str = "What its form does not say: whether a bit of its ciphertext has changed, which only the digest of the \
                         backup shows, and whether the service accepts it.";

/// What the bytes of a file can be.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// A whole backup of an object of one of these kinds.
    Whole(Vec<ObjectKind>),
    /// Of a form that is not known: it may be a backup of an object of any of these kinds.
    Unknown(Vec<ObjectKind>, Clear),
    /// No whole backup.
    Broken(String),
}

/// Judges the file at `path`. The exit code is 0 if it is a whole backup, 1 if it is none, 2 if its form is not known.
pub(super) fn run(path: &Path, wanted: &[ObjectKind], format: Format) -> Done {
    let blob = read(path)?;
    let judged = judge(&blob, if wanted.is_empty() { &ObjectKind::ALL } else { wanted });
    print(path, blob.len() as u64, &blob.digest(), &judged, format)?;
    Ok(match judged {
        Judged::Whole(_) => Exit::All,
        Judged::Broken(_) => Exit::Part,
        Judged::Unknown(..) => Exit::None,
    })
}

/// The service marks blobs of keys and of certificates alike, so a file may be of several kinds.
fn judge(blob: &BackupBlob, wanted: &[ObjectKind]) -> Judged {
    let (mut whole, mut unknown, mut clear, mut faults) = (Vec::new(), Vec::new(), None, Vec::new());
    for &kind in wanted {
        match blob.judge(kind) {
            Ok(Form::Known(_)) => whole.push(kind),
            Ok(Form::Unknown(of)) => {
                unknown.push(kind);
                clear = Some(of);
            }
            Err(fault) => faults.push(fault),
        }
    }
    match clear {
        _ if !whole.is_empty() => Judged::Whole(whole),
        Some(clear) => Judged::Unknown(unknown, clear),
        // Of a kind whose mark it has, the fault says what is wrong with it.
        None => {
            let of_its_kind = faults.iter().find(|fault| !matches!(fault, BlobFault::Kind(_)));
            let fault = of_its_kind.or(faults.first()).map(ToString::to_string);
            Judged::Broken(fault.unwrap_or_default())
        }
    }
}

fn print(path: &Path, size: u64, sha256: &Digest, judged: &Judged, format: Format) -> Result<(), Failed> {
    let (kinds, clear): (&[ObjectKind], _) = match judged {
        Judged::Whole(kinds) => (kinds, None),
        Judged::Unknown(kinds, clear) => (kinds, Some(clear)),
        Judged::Broken(_) => (&[], None),
    };
    if format.is_json() {
        let file = FileVerified::new(path, size, sha256, kinds, clear);
        let file = match judged {
            Judged::Broken(fault) => file.broken(fault),
            Judged::Whole(_) | Judged::Unknown(..) => file,
        };
        return Ok(output::json(&file)?);
    }
    let named = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let (file, about) = (path.display(), format!("{}, SHA-256 {sha256}", bytes(size)));
    let (sentence, form) = match judged {
        Judged::Whole(_) => {
            (format!("{file} has the form of a whole backup of a {named} ({about})."), "known")
        }
        Judged::Unknown(..) => (format!("{file} was not verified ({about})."), "unknown"),
        Judged::Broken(fault) => (format!("{file} is no whole backup: {fault} ({about})."), "broken"),
    };
    let details =
        [Column::name("form"), Column::name("kinds"), Column::number("size"), Column::name("SHA-256")];
    let mut table = Table::new(&[Column::name("file")], &details);
    table.push([
        path.display().to_string().into(),
        form.into(),
        named.into(),
        output::Cell::Bytes(size),
        sha256.into(),
    ]);
    output::one(format, sentence, &table)?;
    match judged {
        Judged::Whole(_) => output::aside(format, NOT_KNOWN)?,
        Judged::Unknown(_, clear) => output::aside(format, format_args!("{}.", form_unknown(clear)))?,
        Judged::Broken(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_judged_by_its_form_and_by_nothing_else() {
        use ObjectKind::{Certificate, Key, Secret};
        let broken = |bytes: &[u8], wanted: &[ObjectKind]| match judge(&bytes.to_vec().into(), wanted) {
            Judged::Broken(fault) => Some(fault),
            Judged::Whole(_) | Judged::Unknown(..) => None,
        };
        let secret = b"\x29AzureKeyVaultSecretBackupV1.microsoft.comnothing";
        for (bytes, wanted, fault) in [
            (&b""[..], &ObjectKind::ALL[..], Some("the backup blob is empty")),
            (
                secret,
                &ObjectKind::ALL,
                Some("the backup blob is cut off or damaged: it has fewer than five parts"),
            ),
            (secret, &[Key], Some("the backup blob is not that of a key")),
            (b"of another form", &ObjectKind::ALL, None),
        ] {
            assert_eq!(broken(bytes, wanted).as_deref(), fault, "{bytes:?} {wanted:?}");
        }
        let other = BackupBlob::from(b"of another form".to_vec());
        let Judged::Unknown(kinds, _) = judge(&other, &[Secret, Certificate]) else {
            panic!("it is unknown")
        };
        assert_eq!(kinds, [Secret, Certificate]);
    }
}

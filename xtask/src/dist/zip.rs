//! Archives as wheels have them (.ZIP file format specification 6.3.10): deflated files below 4 GiB, in their order, at the first moment.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::Entry;

/// The first moment that an archive can tell (4.4.6): 1 January 1980.
const DOS_DATE: u16 = 0x21;

/// An archive of these files.
pub(super) fn archive(entries: &[Entry]) -> Result<Vec<u8>, String> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let too_large = |_| format!("{} is too large for an archive", entry.name);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&entry.bytes).map_err(|e| e.to_string())?;
        let packed = encoder.finish().map_err(|e| e.to_string())?;
        let mut sum = flate2::Crc::new();
        sum.update(&entry.bytes);
        let place = u32::try_from(out.len()).map_err(too_large)?;
        let mut head = Vec::new();
        // Version 2.0, no flags, deflated, the first moment.
        for word in [20, 0, 8, 0, DOS_DATE] {
            head.extend_from_slice(&u16::to_le_bytes(word));
        }
        for size in [
            sum.sum(),
            u32::try_from(packed.len()).map_err(too_large)?,
            u32::try_from(entry.bytes.len()).map_err(too_large)?,
        ] {
            head.extend_from_slice(&size.to_le_bytes());
        }
        let length = u16::try_from(entry.name.len()).map_err(too_large)?;
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(&[0, 0]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&head);
        out.extend_from_slice(entry.name.as_bytes());
        out.extend_from_slice(&packed);
        // Made on Unix by version 2.0; no comment, disk or inner attributes.
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        directory.extend_from_slice(&head);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(u32::from(0o100_000 | entry.mode) << 16).to_le_bytes());
        directory.extend_from_slice(&place.to_le_bytes());
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let count = u16::try_from(entries.len()).map_err(|_| "too many files".to_owned())?.to_le_bytes();
    let sizes = [directory.len(), out.len()].map(|size| u32::try_from(size).map(u32::to_le_bytes));
    out.append(&mut directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count);
    out.extend_from_slice(&count);
    for size in sizes {
        out.extend_from_slice(&size.map_err(|_| "the archive is too large".to_owned())?);
    }
    out.extend_from_slice(&[0, 0]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_begins_and_ends_as_one_and_is_the_same_twice() {
        let entries = || [Entry::program("a", "text text text")];
        let bytes = archive(&entries()).unwrap();
        assert!(bytes.starts_with(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0"));
        let end = &bytes[bytes.len() - 22..];
        assert!(end.starts_with(b"PK\x05\x06") && end[8] == 1);
        let place = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        assert!(bytes[place..].starts_with(b"PK\x01\x02"));
        assert_eq!(bytes, archive(&entries()).unwrap());
    }
}

//! Archives as Debian, npm and images have them: POSIX ustar (IEEE 1003.1, pax, "ustar Interchange Format"), and gzip around it (RFC 1952)
//! without a name or a time.
//!
//! Every file has one moment; directories come before what is in them, root's without being named.

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Entry;

const BLOCK_BYTES: usize = 512;
/// Longest name, and longest beginning of a longer one, which stands in a field of its own without the slash behind it.
const NAME_BYTES_MAX: usize = 100;
const BEGINNING_BYTES_MAX: usize = 155;
/// What 11 octal digits can tell.
const FILE_BYTES_MAX: usize = 0o77_777_777_777;

/// An archive of these files, each name with the prefix in front.
pub(super) fn archive(entries: &[Entry], prefix: &str, moment_s: u64) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut known = BTreeSet::new();
    let parent = Entry { mode: 0o755, ..Entry::file("", "") };
    for entry in entries {
        let name = format!("{prefix}{}", entry.name);
        for end in name.match_indices('/').map(|(at, _)| at + 1).filter(|end| *end < name.len()) {
            if known.insert(name[..end].to_owned()) {
                out.extend(head(&name[..end], &parent, moment_s)?);
            }
        }
        if !known.insert(name.clone()) {
            return Err(format!("{name} is there twice"));
        }
        out.extend(head(&name, entry, moment_s)?);
        out.extend_from_slice(&entry.bytes);
        out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
    }
    out.resize(out.len() + 2 * BLOCK_BYTES, 0);
    Ok(out)
}

/// The header of a file, or of a directory where the name ends in a slash.
fn head(name: &str, entry: &Entry, moment_s: u64) -> Result<[u8; BLOCK_BYTES], String> {
    let (mode, owner, bytes) = (entry.mode, entry.owner, entry.bytes.len());
    let (beginning, end) =
        split(name).filter(|_| bytes <= FILE_BYTES_MAX).ok_or_else(|| format!("{name} is too long for an archive"))?;
    let mut head = [0; BLOCK_BYTES];
    let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, end);
    put(100, &format!("{mode:07o}"));
    put(108, &format!("{owner:07o}"));
    put(116, &format!("{owner:07o}"));
    put(124, &format!("{bytes:011o}"));
    put(136, &format!("{moment_s:011o}"));
    put(148, "        ");
    put(156, if name.ends_with('/') { "5" } else { "0" });
    put(257, "ustar\x0000");
    put(345, beginning);
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(head)
}

/// A name as the two fields take it: the second as long as it can be.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME_BYTES_MAX {
        return Some(("", name));
    }
    let slashes = name.match_indices('/').map(|(at, _)| (&name[..at], &name[at + 1..]));
    let mut fitting = slashes.filter(|(_, end)| !end.is_empty() && end.len() <= NAME_BYTES_MAX);
    fitting.next().filter(|(beginning, _)| beginning.len() <= BEGINNING_BYTES_MAX)
}

/// The same bytes compressed.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(|e| e.to_string())?;
    encoder.finish().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_first_and_each_once() {
        let entries = [Entry::file("a/b/one", "1"), Entry::program("a/b/two", "22"), Entry::file("c/", "")];
        let bytes = archive(&entries, "./", 7).unwrap();
        let heads = [0, 1, 2, 3, 5, 7].map(|block| &bytes[block * BLOCK_BYTES..][..BLOCK_BYTES]);
        let names =
            heads.map(|head| String::from_utf8(head[..100].split(|b| *b == 0).next().unwrap().to_vec()).unwrap());
        assert_eq!(names, ["./", "./a/", "./a/b/", "./a/b/one", "./a/b/two", "./c/"]);
        assert_eq!(heads.map(|head| head[156]), *b"555005");
        assert_eq!(&heads[4][100..148], b"0000755\x000000000\x000000000\x0000000000002\x0000000000007\0");
        assert_eq!(bytes.len(), 10 * BLOCK_BYTES);
    }

    #[test]
    fn long_names_stand_in_two_fields() {
        let (name, beginning) = ("n".repeat(100), "b".repeat(155));
        assert_eq!(split(&name), Some(("", name.as_str())));
        let both = format!("{beginning}/{name}");
        assert_eq!(split(&both), Some((beginning.as_str(), name.as_str())));
        for long in [format!("{beginning}b/{name}"), format!("{beginning}/{name}n"), format!("{name}n")] {
            assert_eq!(split(&long), None);
        }
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused() {
        assert!(archive(&[Entry::file("n".repeat(101), "")], "", 0).is_err());
        assert!(archive(&[Entry::file("same", ""), Entry::file("same", "")], "", 0).is_err());
    }
}

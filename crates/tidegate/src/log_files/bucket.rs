//! Writes one file of a bucket: beside its place, and then into it, so that whoever lists the bucket sees whole files only. Nothing
//! leaves the directory of the buckets, wherever a link in it points.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use topology::snapshot::logs::IntervalEnd;

use super::gathered::Ready;

/// Characters of the random end of a file's name.
const RANDOM_CHARS: usize = 8;

/// Writes a file.
///
/// # Errors
/// When there is no room, no folder, no leave or no randomness.
pub(super) fn write(root: &Path, ready: &Ready) -> io::Result<()> {
    let (day, minute) = (stamp(ready, "%Y/%m/%d")?, stamp(ready, "%Y%m%dT%H%MZ")?);
    let key = ready.place.key(IntervalEnd { day: &day, minute: &minute }, ready.node, &random()?);
    let path = root.join(&ready.place.bucket).join(key);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("the key names no file"));
    };
    fs::create_dir_all(folder)?;
    if !folder.canonicalize()?.starts_with(root.canonicalize()?) {
        return Err(io::Error::other(format!("{} leads out of the buckets", folder.display())));
    }
    let beside = folder.join(format!(".{}.part", name.to_string_lossy()));
    let written = compress(&beside, &ready.text).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What was begun is no log; that it stays is no worse than what went wrong.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// For its owner alone, since lines hold what clients sent.
fn compress(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut encoder: GzEncoder<File> = GzEncoder::new(options.open(path)?, Compression::default());
    encoder.write_all(text)?;
    encoder.finish()?.sync_all()
}

fn stamp(ready: &Ready, format: &str) -> io::Result<String> {
    let seconds = i64::try_from(ready.end.as_secs()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).map_err(io::Error::other)?;
    Ok(time.strftime(format).to_string())
}

fn random() -> io::Result<String> {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0u8; RANDOM_CHARS];
    getrandom::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no randomness"))?;
    Ok(bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect())
}

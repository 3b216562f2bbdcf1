//! Files and directories for their owner alone: keys, and what clients sent.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// How a file is made for its owner alone.
pub(crate) fn file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A directory for its owner alone, with those above it; one that is there keeps its mode.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a new file; one that is there stays, and is an error.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    whole(file().create_new(true).open(path)?, bytes)
}

/// Puts a file in the place of what is there: whole, or not at all, also where the machine ends in between.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    match std::fs::remove_file(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => create(unfinished, bytes)?,
    }
    std::fs::rename(unfinished, path)?;
    // The name is in the directory, which is written down by itself.
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn whole(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        // What an earlier program left, readable by all.
        std::fs::write(directory.path().join("key.pem.new"), "half").unwrap();
        for text in ["one", "two, which is longer", "3"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(create(&path, b"4").is_err());
    }
}

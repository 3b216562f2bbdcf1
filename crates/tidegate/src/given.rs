//! Files and sockets that users name.

use std::fs::File;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A text file of so many bytes at most.
///
/// # Errors
/// That it cannot be read, is no text or is longer; the path comes first.
pub(crate) fn text(path: &Path, bytes_max: u64) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    let read = File::open(path).map_err(failed)?.take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
    if read as u64 > bytes_max { Err(format!("{}: more than {bytes_max} bytes", path.display())) } else { Ok(text) }
}

/// The program that runs, to be started again. Without `/proc`, as in a root that has nothing else, it is the path that it was started by.
///
/// # Errors
/// What the system says, where neither tells it.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe().or_else(|error| {
        let named = std::env::args_os().next().map(PathBuf::from);
        named.filter(|path| path.is_absolute() && path.is_file()).ok_or(error)
    })
}

/// The address of a unix socket: a path, or `@` and a name that no file has.
///
/// # Errors
/// That it is too long.
pub(crate) fn unix_address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

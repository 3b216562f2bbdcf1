//! Files and sockets that users name.

use std::fs::File;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;
use std::path::Path;

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

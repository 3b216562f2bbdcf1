//! Files of SQLite's: how they are opened, and what is wrong with one, said to whoever has to mend it.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

/// How surely a commit is on the disk before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Synchronous {
    /// Always.
    Full,
    /// It survives the end of the process, not the loss of power.
    Normal,
}

/// Opens or makes a file in WAL mode, for one program at a time: a second one fails at its first read instead of mixing with
/// ours. Exclusive before WAL, so that there is no memory that is shared through a file, which a full disk would tear away.
pub(crate) fn open(file: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let level = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", level)?;
    Ok(connection)
}

/// What is wrong, in which file.
#[derive(Debug)]
pub struct Trouble {
    file: Option<PathBuf>,
    error: rusqlite::Error,
}

impl Trouble {
    /// The same, of this file.
    pub(crate) fn of(self, file: Option<&Path>) -> Self {
        Self { file: file.map(Path::to_owned), ..self }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self { file: None, error }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = &self.error;
        match &self.file {
            Some(file) => write!(f, "{}: ", file.display())?,
            None => f.write_str("in memory: ")?,
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => f.write_str("the disk is full"),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                write!(f, "the file is damaged ({error}); put a copy back, or move it away to begin anew")
            }
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                write!(f, "the file cannot be opened or written ({error})")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                write!(f, "another program uses the file ({error})")
            }
            Some(ErrorCode::SystemIoFailure) => write!(f, "the disk cannot be read or written, or is full ({error})"),
            _ => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

//! The data directory: made for its owner alone, locked by one server at a time. What stands in the store is `control`'s.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use control::ControlError;
use control::log_book::LogBook;
use control::store::Store;
use plane::CookieKey;
use wire::Timestamp;

use super::StartError;
use super::runs::Runs;
use crate::private;

/// The store's file.
const STORE: &str = "state.db";
/// The file of log events.
const LOG_BOOK: &str = "logs.db";
/// The key of load balancers' cookies.
const COOKIE_KEY: &str = "cookie.key";
/// The file whose lock says that a server runs; it holds the server's process id. The system lets go of the lock when the process ends,
/// however it ends.
pub(crate) const LOCK: &str = "lock";
/// Bytes of a process id.
const PID_BYTES_MAX: u64 = 20;

/// Where state is kept, and the lock on it.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    held: Option<(PathBuf, File)>,
}

impl DataDirectory {
    /// Makes and locks the directory; `None` keeps state in memory.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, StartError> {
        let Some(path) = path else { return Ok(Self { held: None }) };
        let failed = |source| StartError::Directory { path: path.to_owned(), source };
        private::directory(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                say_whose(&lock).map_err(failed)?;
                Ok(Self { held: Some((path.to_owned(), lock)) })
            }
            Err(TryLockError::WouldBlock) => Err(StartError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Begins a run in it.
    pub(crate) fn begin_run(&self, now: Timestamp) -> Runs {
        Runs::begin(self.held.as_ref().map(|(path, _)| path.as_path()), now)
    }

    /// Opens the store in it.
    pub(crate) fn store(&self) -> Result<Store, StartError> {
        let store = match &self.held {
            Some((path, _)) => {
                let file = path.join(STORE);
                claim(&file).map_err(|source| StartError::Directory { path: path.clone(), source })?;
                Store::open(&file)
            }
            None => Store::in_memory(),
        };
        store.map_err(|error| ControlError::from(error).into())
    }

    /// The key that cookies of load balancers are sealed with: made once, so that clients stay with their targets over a restart.
    pub(crate) fn cookie_key(&self) -> Result<CookieKey, StartError> {
        let fresh = || {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|_| StartError::NoRandomness)?;
            Ok(key)
        };
        let Some((path, _)) = &self.held else { return fresh().map(CookieKey::new) };
        let failed = |source| StartError::Directory { path: path.join(COOKIE_KEY), source };
        match std::fs::read(path.join(COOKIE_KEY)) {
            Ok(kept) => kept.try_into().map(CookieKey::new).map_err(|_| {
                failed(std::io::Error::new(
                    ErrorKind::InvalidData,
                    "it is no key of 32 bytes: delete it to have another made",
                ))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = fresh()?;
                private::replace(&path.join(COOKIE_KEY), &key).map_err(failed)?;
                Ok(CookieKey::new(key))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Opens the events of log groups in it.
    pub(crate) fn log_book(&self) -> Result<LogBook, StartError> {
        let book = match &self.held {
            Some((path, _)) => {
                let file = path.join(LOG_BOOK);
                claim(&file).map_err(|source| StartError::Directory { path: path.clone(), source })?;
                LogBook::open(&file)
            }
            None => LogBook::in_memory(),
        };
        book.map_err(|error| ControlError::from(error).into())
    }
}

/// Writes whose the lock is into it.
fn say_whose(mut lock: &File) -> std::io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

/// Whether a server has the directory, and its process id, if the lock tells it.
///
/// # Errors
/// When the lock is there and cannot be looked at.
pub(crate) fn holder(directory: &Path) -> std::io::Result<Option<Option<u32>>> {
    let lock = match File::open(directory.join(LOCK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        lock => lock?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            lock.take(PID_BYTES_MAX).read_to_string(&mut text)?;
            Ok(Some(text.trim_end().parse().ok()))
        }
    }
}

/// Makes the file for its owner alone before SQLite would make it for everyone: it holds private keys, or what
/// clients sent. SQLite
/// gives the files beside it the same mode. A file that is there keeps its mode.
fn claim(file: &Path) -> std::io::Result<()> {
    private::file().truncate(false).open(file).map(drop)
}

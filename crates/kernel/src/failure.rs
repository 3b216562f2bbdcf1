//! Why the kernel did not do what it was asked. The number of the error is kept: remedies are chosen by it.

use rustix::io::Errno;
use thiserror::Error;

/// What was wanted, and what the kernel answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot {wanted}: {errno}")]
pub struct Failure {
    wanted: String,
    errno: Errno,
}

impl Failure {
    /// A failure to do this.
    pub(crate) fn to(wanted: impl Into<String>, errno: Errno) -> Self {
        Self { wanted: wanted.into(), errno }
    }

    /// Success, where the kernel says by this that there is nothing left to do.
    pub(crate) fn unless(self, done: Errno) -> Result<(), Self> {
        if self.errno == done { Ok(()) } else { Err(self) }
    }

    /// The kernel's answer.
    #[must_use]
    pub const fn errno(&self) -> Errno {
        self.errno
    }
}

/// Says what an answer of the kernel was about.
pub(crate) trait Wanted<T> {
    /// The value, or a failure to do this.
    fn wanted(self, wanted: &str) -> Result<T, Failure>;
}

impl<T> Wanted<T> for Result<T, Errno> {
    fn wanted(self, wanted: &str) -> Result<T, Failure> {
        self.map_err(|errno| Failure::to(wanted, errno))
    }
}

impl<T> Wanted<T> for std::io::Result<T> {
    fn wanted(self, wanted: &str) -> Result<T, Failure> {
        // What the standard library finds by itself has no number, as that time has run out.
        let found = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::TimedOut => Errno::TIMEDOUT,
            _ => Errno::IO,
        };
        self.map_err(|error| Failure::to(wanted, Errno::from_io_error(&error).unwrap_or_else(|| found(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_was_wanted_and_what_was_answered() {
        for (error, expected) in [
            (std::io::Error::from_raw_os_error(1), "cannot dance: Operation not permitted (os error 1)"),
            (std::io::ErrorKind::TimedOut.into(), "cannot dance: Connection timed out (os error 110)"),
            (std::io::Error::other("odd"), "cannot dance: Input/output error (os error 5)"),
        ] {
            assert_eq!(Err::<(), _>(error).wanted("dance").unwrap_err().to_string(), expected);
        }
    }
}

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
        self.map_err(|error| Failure::to(wanted, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }
}

//! The exit codes of every command, as scripts rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for `explain`, the request passed.
    Ok,
    /// Not done.
    Failed,
    /// Asked for in a way that cannot be right.
    Usage,
    /// `explain`: a rule or policy refused the request.
    Denied,
    /// `explain`: the request failed on its way.
    Unreachable,
    /// `run`: the program's own.
    Program(u8),
}

impl Exit {
    /// Its number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Unreachable => 4,
            Self::Program(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

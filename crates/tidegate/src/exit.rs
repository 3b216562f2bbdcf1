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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Denied => Self::from(3),
            Exit::Unreachable => Self::from(4),
            Exit::Program(code) => Self::from(code),
        }
    }
}

//! The other end of the link: the process in the private network.
#![allow(dead_code, unused_imports, reason = "the process that uses it comes with the lanes")]

pub(crate) mod identity;

//! The resolver of a VPC: it answers questions about names on sockets that it is given. Which names there are and what they lead to is
//! `topology::names`; how a question and an answer are written (RFC 1035, RFC 6891) is `message`.

pub(crate) mod message;
mod serve;

pub(crate) use serve::{Place, serve};

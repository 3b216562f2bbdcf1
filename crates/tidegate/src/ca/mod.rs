//! The development certificate authority: a key of this machine's owner, with which the server presents certificates for invoke
//! hosts in development mode, and `tidegate ca issue` makes some for tests. It is trusted by whoever trusts its certificate,
//! and by nobody else.

mod authority;
mod command;

pub(crate) use authority::{
    AUTHORITY, AUTHORITY_VALID, Authority, AuthorityError, LINK, Leaf, placeholder, request, self_signed,
};
pub(crate) use command::ca;

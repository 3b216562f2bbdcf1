//! What both ends of the link share: the authority that says who is who, the lanes by their names, and how each end shakes hands. Who is let
//! in is decided by `serve`; what an agent keeps is `agent`'s.

mod authority;
mod rotation;
mod tls;

#[cfg(test)]
pub(crate) use authority::LinkAuthority;
pub(crate) use authority::{AgentCertificate, CheckedRequest, pin_of};
#[cfg(test)]
pub(crate) use rotation::Phase;
pub(crate) use rotation::{Authorities, RotationError};
pub(crate) use tls::{Asked, asked, client_config, enrolment_config, protocol, server_config};

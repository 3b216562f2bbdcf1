//! What HTTP itself demands of a proxy, in one place: framing, hop-by-hop and forwarding headers, bodies of
//! requests. Nothing here knows an API, a rule or a target.

pub(crate) mod body;
pub(crate) mod date;
pub(crate) mod forwarding;
pub(crate) mod framing;
pub(crate) mod gathered;
pub(crate) mod hop;
pub(crate) mod percent;
pub(crate) mod places;
pub(crate) mod relay;
mod streamed;
pub(crate) mod survey;
pub(crate) mod unique;

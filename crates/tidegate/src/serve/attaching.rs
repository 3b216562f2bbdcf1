//! What is said of an attachment that cannot be, by our own paths and over the link alike.

use control::AttachError;
use http::StatusCode;
use serde_json::{Value, json};

/// The status and the body: the code tells the command what to make of it, the candidates what to name.
pub(super) fn attach_refusal(error: &AttachError) -> (StatusCode, Value) {
    let (status, code) = match error {
        AttachError::Ambiguous { .. } => (StatusCode::CONFLICT, "AMBIGUOUS"),
        AttachError::NoSubnet(_)
        | AttachError::UnknownSubnet(_)
        | AttachError::UnknownInstance(_)
        | AttachError::UnknownGroup(_)
        | AttachError::UnknownListener(_) => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        AttachError::NotAttached | AttachError::NotListening | AttachError::OtherPorts { .. } => {
            (StatusCode::NOT_FOUND, "NOT_ATTACHED")
        }
        AttachError::BeyondLoopback(_) | AttachError::SocketTaken(_) | AttachError::Unusable(_) => {
            (StatusCode::CONFLICT, "UNUSABLE")
        }
        AttachError::SubnetFull => (StatusCode::CONFLICT, "SUBNET_FULL"),
        AttachError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "STORE"),
    };
    let candidates = match error {
        AttachError::Ambiguous { candidates, .. } => candidates.as_slice(),
        _ => &[],
    };
    (status, json!({ "code": code, "message": error.to_string(), "candidates": candidates }))
}

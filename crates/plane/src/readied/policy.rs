//! A resource policy as it was deployed.

use topology::resource::resource_policy::{Policy, ResourcePolicy};
use topology::resource::rest_stage::FrozenRest;

/// What a deployment's policy says, if it has one. That of an old store is read when this is first asked.
pub(crate) fn of(frozen: &FrozenRest) -> Option<&Policy> {
    frozen.policy.as_ref().filter(|policy| !policy.as_str().is_empty()).map(read)
}

/// What a policy says. It is read once.
pub(crate) fn read(policy: &ResourcePolicy) -> &Policy {
    policy.read(|text| serde_json::from_str(text).ok())
}

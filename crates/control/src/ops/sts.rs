//! The operations of sts, one line each; what they do stands in the files beside.

use wire::Fault;
use wire::sts::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn get_caller_identity(&mut self, _input: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Fault> {
        Err(super::unimplemented("get_caller_identity"))
    }
}

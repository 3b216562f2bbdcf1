//! The one operation of STS that clients begin with.

use wire::Fault;
use wire::sts::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn get_caller_identity(&mut self, _input: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Fault> {
        let account = self.account();
        Ok(GetCallerIdentityResponse {
            account: Some(account.to_string()),
            arn: Some(format!("arn:aws:iam::{account}:root")),
            user_id: Some(account.to_string()),
        })
    }
}

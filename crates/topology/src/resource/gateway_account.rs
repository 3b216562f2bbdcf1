//! The account settings of API Gateway in a region (API Gateway REST API reference, "Account", 2026-11).

use serde::{Deserialize, Serialize};

/// What the account has set. Without a resource of this kind it has set nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GatewayAccount {
    /// `cloudwatchRoleArn`: kept and shown. Logs are written without it, as no role is needed for them here.
    pub cloudwatch_role_arn: Option<String>,
}

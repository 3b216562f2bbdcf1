//! The operations, one folder or file for each service, one function for each operation: validate, change the draft, shape
//! the reply. The only place where wire structs meet resources.

pub(crate) mod acm;
pub(crate) mod apigateway;
pub(crate) mod apigatewayv2;
pub(crate) mod ec2;
pub(crate) mod elbv2;
pub(crate) mod gateway_common;
mod logs;
pub(crate) mod paging;
mod sts;

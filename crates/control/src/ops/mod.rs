//! The operations, one folder or file for each service, one function for each operation: validate, change the draft, shape
//! the reply. The only place where wire structs meet resources.

mod acm;
mod apigatewayv2;
mod ec2;
mod elbv2;
mod logs;
pub(crate) mod paging;
mod sts;

pub(crate) fn unimplemented(operation: &str) -> wire::Fault {
    wire::Fault::new("InternalFailure", 501, format!("{operation} is not built yet"))
}

//! Parameters that AWS has and Tidegate has not, and that may be left out when the operator says so: no one is let in, no one sees
//! more, and no traffic goes otherwise for want of them. What protects something, or chooses an address, a way or an identity, is
//! never in this table.

use crate::generated::ServiceId;
use crate::limits::VIOLATIONS_MAX;
use crate::problem::{Path, Problem};

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Harmless {
    /// They are refused like every other one.
    #[default]
    Refused,
    /// They are left out of the call, and told.
    LeftOut,
}

/// A parameter that was left out of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// As the caller spelled its way.
    pub parameter: String,
    /// Why nothing comes of it here.
    pub why: &'static str,
}

struct Row {
    service: ServiceId,
    operations: &'static [&'static str],
    /// As callers spell the first step of its way, whatever follows.
    parameters: &'static [&'static str],
    why: &'static str,
}

const fn row(
    service: ServiceId,
    operations: &'static [&'static str],
    parameters: &'static [&'static str],
    why: &'static str,
) -> Row {
    Row { service, operations, parameters, why }
}

/// EC2 API reference, ELBv2 API reference, API Gateway API references of both versions, CloudWatch Logs API reference; all 2026-11.
const ROWS: &[Row] = &[
    row(
        ServiceId::Ec2,
        &["CreateNetworkInterface", "ModifyNetworkInterfaceAttribute"],
        &["EnablePrimaryIpv6"],
        "instances are targets by their IPv4 addresses alone",
    ),
    row(
        ServiceId::Ec2,
        &["DescribeInstanceStatus", "DescribeInstances", "DescribeNetworkInterfaces"],
        &["IncludeManagedResources"],
        "no service of AWS manages resources here",
    ),
    row(ServiceId::Ec2, &["DescribeInstanceTypes"], &["IncludeUnsupportedInRegion"], "every region has the same types"),
    row(
        ServiceId::Ec2,
        &["ModifyInstanceAttribute"],
        &["EbsOptimized", "EnaSupport", "SriovNetSupport"],
        "no machine has an instance's settings",
    ),
    row(
        ServiceId::Ec2,
        &["ModifyNetworkInterfaceAttribute"],
        &["EnaSrdSpecification"],
        "interfaces are of no such hardware",
    ),
    row(
        ServiceId::Ec2,
        &["RunInstances"],
        &["CapacityReservationSpecification", "CpuOptions", "MaintenanceOptions", "NetworkPerformanceOptions"],
        "no machine has an instance's settings",
    ),
    row(
        ServiceId::Ec2,
        &["StopInstances", "TerminateInstances"],
        &["SkipOsShutdown"],
        "no operating system is shut down",
    ),
    row(ServiceId::Ec2, &["TerminateInstances"], &["Force"], "nothing keeps an instance from ending"),
    row(
        ServiceId::Elbv2,
        &["CreateLoadBalancer", "SetSubnets"],
        &["EnablePrefixForIpv6SourceNat"],
        "for UDP over IPv6; UDP listeners are refused by name",
    ),
    row(
        ServiceId::ApiGateway,
        &["CreateAuthorizer"],
        &["authType"],
        "it is a note for exports, which nothing is judged by on AWS either",
    ),
    row(
        ServiceId::ApiGateway,
        &["CreateDeployment", "CreateStage"],
        &["cacheClusterSize"],
        "no stage has a cache; one that asks for it is refused",
    ),
    row(
        ServiceId::ApiGatewayV2,
        &["CreateApi", "UpdateApi"],
        &["disableSchemaValidation"],
        "it is for WebSocket APIs alone, which cannot be made",
    ),
    row(
        ServiceId::ApiGatewayV2,
        &["CreateIntegration", "UpdateIntegration"],
        &["contentHandlingStrategy", "passthroughBehavior", "templateSelectionExpression"],
        "it is for WebSocket APIs alone, which cannot be made",
    ),
    row(
        ServiceId::ApiGatewayV2,
        &["CreateRoute", "UpdateRoute"],
        &["modelSelectionExpression", "routeResponseSelectionExpression"],
        "it is for WebSocket APIs alone, which cannot be made",
    ),
    row(ServiceId::Logs, &["FilterLogEvents", "GetLogEvents"], &["unmask"], "no event is masked"),
    row(ServiceId::Logs, &["PutLogEvents"], &["entity"], "nothing relates events to what they are about"),
];

/// What is left out of a call of this operation, if that is all that is wrong: each of these parameters is in the table.
pub(crate) fn all_of(service: ServiceId, operation: &str, strays: &[Problem]) -> Option<Vec<LeftOut>> {
    // A list that is full may not be whole.
    let may_be_whole = strays.len() < VIOLATIONS_MAX;
    let left_out = |problem: &Problem| match problem {
        Problem::Unknown(path) => one(service, operation, path),
        _ => None,
    };
    may_be_whole.then(|| strays.iter().map(left_out).collect())?
}

fn one(service: ServiceId, operation: &str, path: &Path) -> Option<LeftOut> {
    let name = path.unknown_first()?;
    let is_of =
        |row: &&Row| row.service == service && row.operations.contains(&operation) && row.parameters.contains(&name);
    ROWS.iter().find(is_of).map(|row| LeftOut { parameter: path.form(), why: row.why })
}

/// The page `docs/unsupported.md`.
#[cfg(test)]
fn page() -> String {
    let mut text = HEAD.to_owned();
    for row in ROWS {
        let listed = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let service = row.service.model().signing_name;
        let line = format!("| {service} | {} | {} | {} |\n", listed(row.operations), listed(row.parameters), row.why);
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
const HEAD: &str = "<!-- generated from crates/wire/src/harmless.rs by its test with UPDATE=1; do not edit -->
# What is asked for and not carried out

    tidegate up --unsupported refuse
    tidegate up --unsupported warn

Tidegate refuses what it does not serve, by name, and everything at once: one error lists each parameter of a call that AWS has and
Tidegate has not ([coverage.md](coverage.md)), or each attribute of a load balancer, target group or listener that cannot be taken.

Two kinds of things do no harm where they are not carried out: no one is let in, no one sees more, and no traffic goes otherwise. The setting
`unsupported` says what becomes of them.

| `unsupported` | attributes that are *kept only* ([load-balancer-attributes.md](load-balancer-attributes.md)), with another value than their default | parameters in the table below |
|---|---|---|
| not set | kept and shown | refused |
| `refuse` | refused, each with its reason | refused |
| `warn` | kept and shown | left out of the call, which is carried out; a warning in the log names each |

Whatever is set, `tidegate explain` repeats it: of a request, as the hint `NOT_CARRIED_OUT`, for each load balancer and target group on its way
that has such an attribute; of a call that parameters were left out of, by the call's request id, for as long as it is remembered.
With `warn` the start says that it is on.

What protects something (a policy, TLS, a client certificate, encryption, a role), or chooses an address, a way or an identity, is never left out.
Neither is a parameter beside one that is refused: such a call is refused as a whole. What is left out is not kept, so Terraform sees it
as unset when it reads it back.

| service | operations | parameters | why nothing comes of them |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Step;
    use crate::unserved;

    fn stray(name: &str) -> Problem {
        Problem::Unknown(Path::default().to(Step::Unknown(name.to_owned())))
    }

    #[test]
    fn each_is_a_parameter_of_awss_that_its_operation_does_not_have_here() {
        for row in ROWS {
            for (operation, name) in row.operations.iter().flat_map(|o| row.parameters.iter().map(move |p| (o, p))) {
                let found = row.service.model().operations.iter().find(|known| known.name == *operation);
                let found = found.unwrap_or_else(|| panic!("{operation} is not served"));
                let has = found.input.members.iter().any(|member| member.wire_in.eq_ignore_ascii_case(name));
                assert!(!has, "{operation} has {name}");
                let path = Path::default().to(Step::Unknown((*name).to_owned()));
                assert!(unserved::is_parameter(row.service, &path), "{operation}: AWS has no {name}");
            }
        }
    }

    #[test]
    fn nothing_is_left_out_beside_what_is_refused() {
        let of = |names: &[&str]| {
            let strays: Vec<Problem> = names.iter().map(|name| stray(name)).collect();
            all_of(ServiceId::Ec2, "TerminateInstances", &strays).map(|all| all.len())
        };
        assert_eq!(of(&["Force"]), Some(1));
        assert_eq!(of(&["Force", "SkipOsShutdown"]), Some(2));
        assert_eq!(of(&["Force", "Hibernate"]), None);
        assert_eq!(of(&["Hibernate"]), None);
        // What does not fit on the list was not looked at.
        assert_eq!(of(&["Force"; VIOLATIONS_MAX]), None);
        assert_eq!(all_of(ServiceId::Ec2, "StartInstances", &[stray("Force")]), None, "of another operation");
        assert_eq!(all_of(ServiceId::Logs, "TerminateInstances", &[stray("Force")]), None, "of another service");
    }

    #[test]
    fn what_protects_is_in_no_row() {
        let words =
            ["policy", "certificate", "tls", "encrypt", "kms", "role", "credential", "secur", "auth", "profile"];
        for name in ROWS.iter().flat_map(|row| row.parameters) {
            // A note for exports, by AWS's own word.
            let found = words.iter().find(|word| name.to_ascii_lowercase().contains(**word) && *name != "authType");
            assert_eq!(found, None, "{name}");
        }
    }

    #[test]
    fn the_page_says_what_the_table_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/unsupported.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(file, page()).unwrap();
        }
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(found == page(), "docs/unsupported.md is stale: run this test with UPDATE=1");
    }
}

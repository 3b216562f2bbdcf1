//! How network ACLs and route tables are told that stop a connection.

use super::path::Path;
use super::route;
use crate::net::Traffic;
use crate::reason::Reason;
use crate::trace::{Hop, HopKind, Leg};
use crate::verdict::Direction;
use crate::verdict::acl::AclDenial;
use crate::verdict::route::RouteDenial;

/// Why a hop was stopped that an ACL or a route table stopped, if it still would be.
pub(super) fn of_hop(path: &Path<'_>, hop: &Hop, leg: &Leg) -> Option<String> {
    match hop.kind {
        HopKind::RouteTable => path.route_denial(leg).map(|denial| route_denial(&denial)),
        _ if hop.reason == Some(Reason::NaclDenied) => path.acl_denial(leg).map(|denial| acl_denial(&denial)),
        _ => None,
    }
}

/// Why a network ACL lets something not through, with the analyzer's code.
pub(super) fn acl_denial(denial: &AclDenial) -> String {
    let AclDenial { acl, subnet, peer, ports, .. } = denial;
    let what = if denial.of_replies { "replies to " } else { "" };
    let traffic = Traffic::Tcp(*ports);
    let way = match denial.direction {
        Direction::Ingress => format!("enter {subnet} from {peer}"),
        Direction::Egress => format!("leave {subnet} for {peer}"),
    };
    let by = match denial.rule {
        Some(rule) => format!("rule {rule} of {acl} does not let {what}{traffic} {way}"),
        None => format!("no rule of {acl} lets {what}{traffic} {way}"),
    };
    format!("{by}{}", told_by("SUBNET_ACL_RESTRICTION"))
}

/// Which route is missing between two VPCs, with the analyzer's code.
pub(super) fn route_denial(denial: &RouteDenial) -> String {
    format!("{}{}", route::sentence(denial), told_by("NO_ROUTE_TO_DESTINATION"))
}

/// The analyzer's code, behind what it is the code of.
pub(super) fn told_by(code: &str) -> String {
    format!(" (Reachability Analyzer: {code})")
}

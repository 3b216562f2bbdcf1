//! What would mend a route that is missing between two VPCs: the command, the model in which it is already there, and the sentence that
//! says what is missing.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

use crate::id::{RouteTableId, VpcPeeringConnectionId};
use crate::net::Family;
use crate::snapshot::fabric::{Fabric, RouteNet};
use crate::verdict::route::RouteDenial;

/// What leads to an address that is not reached. It prints as the command that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RouteFix {
    /// What it mends.
    pub(super) denial: RouteDenial,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The peering connection waits to be accepted.
    Accept(VpcPeeringConnectionId),
    /// A route, in place of one for the same addresses or beside the others.
    Route { table: RouteTableId, block: IpNet, through: VpcPeeringConnectionId, is_replaced: bool },
}

impl RouteFix {
    /// Whether both make the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.what == other.what
    }

    /// Does in the model what the command does.
    pub(super) fn put(&self, fabric: &mut Fabric) {
        match self.what {
            What::Accept(id) => {
                fabric.peerings.iter_mut().filter(|peering| peering.id == id).for_each(|one| one.is_active = true);
            }
            What::Route { table, block, through, .. } => {
                let route = RouteNet { block, of_list: false, peering: Some(through), exit: None };
                let of_table = fabric.routes.values_mut().filter(|routes| routes.id == table);
                of_table.for_each(|routes| Arc::make_mut(routes).put(route));
            }
        }
    }
}

impl fmt::Display for RouteFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Accept(id) => {
                write!(f, "aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id {id}")
            }
            What::Route { table, block, through, is_replaced } => {
                let verb = if is_replaced { "replace" } else { "create" };
                let member = match Family::of_block(&block) {
                    Family::Ipv4 => "destination-cidr-block",
                    Family::Ipv6 => "destination-ipv6-cidr-block",
                };
                write!(f, "aws ec2 {verb}-route --route-table-id {table} --{member} {block} ")?;
                write!(f, "--vpc-peering-connection-id {through}")
            }
        }
    }
}

/// The next thing that is missing; `None` where no peering connection joins the two VPCs, since that is nobody's to decide here.
pub(super) fn missing(denial: &RouteDenial) -> Option<RouteFix> {
    let peering = denial.peering?;
    let what = if peering.is_active {
        let wide = RouteNet { block: denial.block, of_list: true, peering: None, exit: None };
        // A route that is as narrow or narrower decides before one for the whole subnet.
        let narrow = denial.deciding.filter(|route| route.block.prefix_len() >= denial.block.prefix_len());
        let RouteNet { block, of_list, .. } = narrow.unwrap_or(wide);
        What::Route { table: denial.table?, block, through: peering.id, is_replaced: !of_list }
    } else {
        What::Accept(peering.id)
    };
    Some(RouteFix { denial: *denial, what })
}

/// What is missing, in words.
pub(super) fn sentence(denial: &RouteDenial) -> String {
    let RouteDenial { vpc, address, .. } = denial;
    if let Some((interface, family)) = denial.without {
        return format!("{interface} has no {family} address");
    }
    let what = if denial.of_replies { format!("replies to {address}: ") } else { String::new() };
    let Some(peering) = denial.peering else {
        if let (Some(RouteNet { block, peering: Some(id), .. }), Some(table)) = (denial.deciding, denial.table) {
            return format!(
                "{what}the route for {block} in {table} of {vpc} leads through {id}, where nothing has {address}"
            );
        }
        return format!("{what}no peering connection joins {vpc} with a VPC that has {address}");
    };
    let (id, table) = (peering.id, denial.table.map_or_else(|| "a route table".to_owned(), |id| id.to_string()));
    match denial.deciding {
        _ if !peering.is_active => format!("{what}{id} leads there from {vpc}, but is not accepted yet"),
        Some(route) => {
            format!(
                "{what}the route for {} in {table} of {vpc} does not lead to {address}, as one through {id} would",
                route.block
            )
        }
        None => format!("{what}no route in {table} of {vpc} leads to {address}, as one through {id} would"),
    }
}

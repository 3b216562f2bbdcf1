//! Records of flow logs as lines (VPC user guide, "Flow log records", 2026-11). What there is nothing of is written as `-`: packets
//! of what the kernel did not carry among it.

use std::fmt::Write as _;

use topology::net::Direction;
use topology::net::Family;
use topology::resource::flow_log::FlowField;
use topology::snapshot::fabric::{FlowLog, Logged};

use crate::fabric::flow::{Key, Sum};

/// Of what a record tells: connections, or that some were left out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// Of these.
    Flows(&'a Key, &'a Sum),
    /// Some found no room.
    Skipped,
}

/// A record, without a line end; what it tells of was seen first and last then, in seconds since 1970.
pub(crate) fn line(log: &FlowLog, told: &Logged, seen: (u64, u64), of: Of<'_>) -> String {
    let mut line = String::with_capacity(128);
    for (at, field) in log.format.fields().iter().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        put(&mut line, (log, told), seen, (of, *field));
    }
    line
}

/// Writes one field.
fn put(
    line: &mut String,
    (log, told): (&FlowLog, &Logged),
    (first, last): (u64, u64),
    (of, field): (Of<'_>, FlowField),
) {
    let interface = &told.interface;
    // Writing to a String cannot fail.
    let _ = match field {
        FlowField::Version => write!(line, "{}", log.format.version()),
        FlowField::AccountId => write!(line, "{}", log.realm.account),
        FlowField::InterfaceId => write!(line, "{}", interface.id),
        FlowField::VpcId => write!(line, "{}", interface.vpc),
        FlowField::SubnetId => write!(line, "{}", interface.subnet),
        FlowField::InstanceId => or_dash(line, told.instance),
        FlowField::Region => write!(line, "{}", log.realm.region),
        FlowField::AzId => write!(line, "{}", interface.zone.id()),
        FlowField::Start => write!(line, "{first}"),
        FlowField::End => write!(line, "{last}"),
        FlowField::LogStatus => write!(line, "{}", if matches!(of, Of::Skipped) { "SKIPDATA" } else { "OK" }),
        _ => match of {
            Of::Flows(key, sum) => put_flow(line, (key, sum), field),
            Of::Skipped => write!(line, "-"),
        },
    };
}

/// Writes a field that connections have.
fn put_flow(line: &mut String, (key, sum): (&Key, &Sum), field: FlowField) -> std::fmt::Result {
    match field {
        FlowField::SrcAddr | FlowField::PktSrcAddr => write!(line, "{}", key.from.0),
        FlowField::DstAddr | FlowField::PktDstAddr => write!(line, "{}", key.to.0),
        FlowField::SrcPort => or_dash(line, key.from.1),
        FlowField::DstPort => or_dash(line, key.to.1),
        FlowField::Protocol => write!(line, "{}", key.protocol),
        FlowField::Packets => or_dash(line, sum.packets),
        FlowField::Bytes => or_dash(line, sum.bytes),
        FlowField::Action => write!(line, "{}", if key.is_accepted { "ACCEPT" } else { "REJECT" }),
        FlowField::TcpFlags => write!(line, "{}", sum.flags),
        FlowField::Type => write!(line, "{}", Family::of(key.to.0)),
        FlowField::FlowDirection => match key.direction {
            Direction::Ingress => write!(line, "ingress"),
            Direction::Egress => write!(line, "egress"),
        },
        FlowField::TrafficPath => or_dash(line, sum.path),
        _ => write!(line, "-"),
    }
}

fn or_dash(line: &mut String, value: Option<impl std::fmt::Display>) -> std::fmt::Result {
    match value {
        Some(value) => write!(line, "{value}"),
        None => write!(line, "-"),
    }
}

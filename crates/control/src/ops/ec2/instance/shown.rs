//! How instances are shown and selected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use topology::id::ReservationId;
use topology::resource::instance::{Instance, InstanceState};
use topology::resource::network_interface::NetworkInterface;
use wire::Fault;
use wire::ec2 as shapes;

use super::super::filters::{each, one, some};
use super::super::select::Filters;
use super::super::{fault, network_interface, select, tags};
use super::wanted::is_burstable;
use crate::context::Context;

pub(in super::super) fn describe(
    context: &Context<'_>,
    input: shapes::DescribeInstancesRequest,
) -> Result<shapes::DescribeInstancesResult, Fault> {
    let found = select::by_ids(&context.estate().instances, input.instance_ids, fault::INSTANCE)?;
    let kept = INSTANCES.apply(context, found, input.filters)?;
    let (page, next_token) = select::page(kept, input.max_results, input.next_token.as_deref())?;
    Ok(shapes::DescribeInstancesResult { next_token, reservations: Some(reservations(context, &page)) })
}

/// Instances by the calls that made them.
fn reservations(context: &Context<'_>, found: &[Arc<Instance>]) -> Vec<shapes::Reservation> {
    let mut by_call: BTreeMap<ReservationId, Vec<&Arc<Instance>>> = BTreeMap::new();
    for instance in found {
        by_call.entry(instance.reservation).or_default().push(instance);
    }
    let shape = |(id, mut instances): (ReservationId, Vec<&Arc<Instance>>)| {
        instances.sort_by_key(|instance| instance.launch_index);
        reservation(context, id, instances.into_iter().map(|instance| render(context, instance)).collect())
    };
    by_call.into_iter().map(shape).collect()
}

pub(super) fn reservation(
    context: &Context<'_>,
    id: ReservationId,
    instances: Vec<shapes::Instance>,
) -> shapes::Reservation {
    shapes::Reservation {
        // Those of EC2-Classic.
        groups: Some(Vec::new()),
        instances: Some(instances),
        owner_id: Some(context.account().to_string()),
        reservation_id: Some(id.to_string()),
    }
}

pub(super) fn state(state: InstanceState) -> shapes::InstanceState {
    shapes::InstanceState { code: Some(state.code().into()), name: Some(state.name().to_owned()) }
}

fn own_interface(context: &Context<'_>, instance: &Instance) -> Option<Arc<NetworkInterface>> {
    context.estate().network_interfaces.get(&instance.interface?).cloned()
}

/// The primary interface as its instance shows it.
pub(super) fn interface(context: &Context<'_>, instance: &Instance) -> Option<shapes::InstanceNetworkInterface> {
    let shape = network_interface::render(context, own_interface(context, instance)?.as_ref());
    let association = shape.association.map(|association| shapes::InstanceNetworkInterfaceAssociation {
        ip_owner_id: association.ip_owner_id,
        public_ip: association.public_ip,
    });
    let addresses = shape.private_ip_addresses.unwrap_or_default().into_iter();
    let addresses = addresses.map(|address| shapes::InstancePrivateIpAddress {
        association: association.clone().filter(|_| address.primary == Some(true)),
        primary: address.primary,
        private_dns_name: address.private_dns_name,
        private_ip_address: address.private_ip_address,
    });
    let ipv6 = shape.ipv6_addresses.unwrap_or_default().into_iter().map(|address| shapes::InstanceIpv6Address {
        ipv6_address: address.ipv6_address,
        is_primary_ipv6: address.is_primary_ipv6,
    });
    Some(shapes::InstanceNetworkInterface {
        ipv6_addresses: Some(ipv6.collect()),
        private_ip_addresses: Some(addresses.collect()),
        association,
        attachment: shape.attachment.map(|attachment| shapes::InstanceNetworkInterfaceAttachment {
            attach_time: attachment.attach_time,
            attachment_id: attachment.attachment_id,
            delete_on_termination: attachment.delete_on_termination,
            device_index: attachment.device_index,
            status: attachment.status,
        }),
        description: shape.description,
        groups: shape.groups,
        interface_type: shape.interface_type,
        mac_address: shape.mac_address,
        network_interface_id: shape.network_interface_id,
        owner_id: shape.owner_id,
        private_dns_name: shape.private_dns_name,
        private_ip_address: shape.private_ip_address,
        source_dest_check: shape.source_dest_check,
        status: shape.status,
        subnet_id: shape.subnet_id,
        vpc_id: shape.vpc_id,
    })
}

/// What is told of an instance that was stopped or ended.
fn reason(state: InstanceState) -> Option<shapes::StateReason> {
    let (code, text) = match state {
        InstanceState::Pending(_) | InstanceState::Running => return None,
        InstanceState::Stopping(_)
        | InstanceState::Stopped
        | InstanceState::ShuttingDown(_)
        | InstanceState::Terminated(_) => ("Client.UserInitiatedShutdown", "User initiated shutdown"),
    };
    Some(shapes::StateReason { code: Some(code.to_owned()), message: Some(format!("{code}: {text}")) })
}

pub(super) fn render(context: &Context<'_>, instance: &Instance) -> shapes::Instance {
    let machine = &instance.machine;
    let interface = interface(context, instance);
    let of_interface = interface.as_ref();
    let zone = context.estate().subnets.get(&instance.subnet).map(|subnet| subnet.zone.to_string());
    let monitoring = if machine.is_monitored { "enabled" } else { "disabled" };
    shapes::Instance {
        ami_launch_index: Some(instance.launch_index.into()),
        client_token: Some(instance.client_token.clone()),
        ebs_optimized: Some(machine.is_ebs_optimized),
        image_id: Some(machine.image.clone()),
        instance_id: Some(instance.id.to_string()),
        instance_type: Some(machine.kind.clone()),
        key_name: machine.key_name.clone(),
        ipv6_address: of_interface.and_then(|i| i.ipv6_addresses.as_ref()?.first()?.ipv6_address.clone()),
        launch_time: Some(wire::Timestamp(instance.launched.0)),
        metadata_options: Some(metadata(instance)),
        monitoring: Some(shapes::Monitoring { state: Some(monitoring.to_owned()) }),
        placement: Some(shapes::Placement { availability_zone: zone, tenancy: Some("default".to_owned()) }),
        private_dns_name: Some(of_interface.and_then(|i| i.private_dns_name.clone()).unwrap_or_default()),
        private_ip_address: of_interface.and_then(|i| i.private_ip_address.clone()),
        public_ip_address: of_interface.and_then(|i| i.association.as_ref()?.public_ip.clone()),
        security_groups: Some(of_interface.and_then(|i| i.groups.clone()).unwrap_or_default()),
        source_dest_check: of_interface.and_then(|i| i.source_dest_check),
        state: Some(state(instance.state)),
        state_reason: reason(instance.state),
        subnet_id: of_interface.and_then(|i| i.subnet_id.clone()),
        vpc_id: of_interface.and_then(|i| i.vpc_id.clone()),
        tags: tags::render(&instance.tags),
        network_interfaces: Some(interface.into_iter().collect()),
    }
}

fn metadata(instance: &Instance) -> shapes::InstanceMetadataOptionsResponse {
    let options = &instance.machine.metadata;
    let is_pending = matches!(instance.state, InstanceState::Pending(_));
    shapes::InstanceMetadataOptionsResponse {
        http_endpoint: Some(options.endpoint.clone()),
        http_protocol_ipv6: Some(options.ipv6.clone()),
        http_put_response_hop_limit: Some(options.hops_max.into()),
        http_tokens: Some(options.tokens.clone()),
        instance_metadata_tags: Some(options.tags.clone()),
        state: Some(if is_pending { "pending" } else { "applied" }.to_owned()),
    }
}

/// The status checks of instances: of those that run, unless all are asked for.
pub(in super::super) fn statuses(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    of_all: Option<bool>,
) -> Result<Vec<shapes::InstanceStatus>, Fault> {
    let mut found = select::by_ids(&context.estate().instances, ids, fault::INSTANCE)?;
    found.retain(|instance| of_all == Some(true) || instance.state == InstanceState::Running);
    let shape = |instance: &Arc<Instance>| {
        let zone = context.estate().subnets.get(&instance.subnet).map(|subnet| subnet.zone.clone());
        shapes::InstanceStatus {
            availability_zone: zone.as_ref().map(ToString::to_string),
            availability_zone_id: zone.as_ref().map(topology::id::Zone::id),
            instance_id: Some(instance.id.to_string()),
            instance_state: Some(state(instance.state)),
            instance_status: Some(checks(instance.state)),
            system_status: Some(checks(instance.state)),
        }
    };
    Ok(found.iter().map(shape).collect())
}

fn checks(state: InstanceState) -> shapes::InstanceStatusSummary {
    let (status, passed) = match state {
        InstanceState::Running => ("ok", Some("passed")),
        InstanceState::Pending(_) => ("initializing", Some("initializing")),
        InstanceState::Stopping(_)
        | InstanceState::Stopped
        | InstanceState::ShuttingDown(_)
        | InstanceState::Terminated(_) => ("not-applicable", None),
    };
    let detail = passed.map(|passed| shapes::InstanceStatusDetails {
        name: Some("reachability".to_owned()),
        status: Some(passed.to_owned()),
    });
    shapes::InstanceStatusSummary { details: Some(detail.into_iter().collect()), status: Some(status.to_owned()) }
}

/// The types that are named. The catalogue itself is not kept.
pub(in super::super) fn types(kinds: Option<Vec<String>>) -> Result<Vec<shapes::InstanceTypeInfo>, Fault> {
    let kinds = kinds.filter(|kinds| !kinds.is_empty());
    let kinds =
        kinds.ok_or_else(|| fault::unsupported("the list of all instance types; name some by InstanceTypes"))?;
    let shape = |kind: String| shapes::InstanceTypeInfo {
        burstable_performance_supported: Some(is_burstable(&kind)),
        instance_type: Some(kind),
    };
    Ok(kinds.into_iter().map(shape).collect())
}

/// The credit options of instances; without ids, of those that have any other than the least.
pub(in super::super) fn credits(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
) -> Result<Vec<shapes::InstanceCreditSpecification>, Fault> {
    let is_named = ids.as_ref().is_some_and(|ids| !ids.is_empty());
    let mut shown = Vec::new();
    for instance in select::by_ids(&context.estate().instances, ids, fault::INSTANCE)? {
        match &instance.machine.cpu_credits {
            Some(credits) if is_named || credits == "unlimited" => shown.push(shapes::InstanceCreditSpecification {
                cpu_credits: Some(credits.clone()),
                instance_id: Some(instance.id.to_string()),
            }),
            None if is_named => {
                return Err(fault::new(
                    "InstanceCreditSpecification.NotSupported",
                    format!("The instance '{}' has a type without CPU credits.", instance.id),
                ));
            }
            Some(_) | None => {}
        }
    }
    Ok(shown)
}

fn of_interface(
    context: &Context<'_>,
    instance: &Instance,
    values: impl Fn(&NetworkInterface) -> Vec<String>,
) -> Vec<String> {
    own_interface(context, instance).map(|interface| values(&interface)).unwrap_or_default()
}

/// Those that ask for what no record has (architecture, block devices, public names) are refused.
const INSTANCES: Filters<Arc<Instance>> = Filters {
    by: &[
        ("availability-zone", |context, instance| {
            some(context.estate().subnets.get(&instance.subnet).map(|subnet| subnet.zone.clone()))
        }),
        ("client-token", |_, instance| one(&instance.client_token)),
        ("image-id", |_, instance| one(&instance.machine.image)),
        ("instance-id", |_, instance| one(instance.id)),
        ("instance-state-code", |_, instance| one(instance.state.code())),
        ("instance-state-name", |_, instance| one(instance.state.name())),
        ("instance-type", |_, instance| one(&instance.machine.kind)),
        ("instance.group-id", |context, instance| of_interface(context, instance, |i| each(&i.groups))),
        ("ip-address", |context, instance| some(render(context, instance).public_ip_address)),
        ("ipv6-address", |context, instance| of_interface(context, instance, |i| each(&i.ipv6_addresses))),
        ("key-name", |_, instance| some(instance.machine.key_name.as_ref())),
        ("launch-index", |_, instance| one(instance.launch_index)),
        ("network-interface.ipv6-addresses.ipv6-address", |context, instance| {
            of_interface(context, instance, |i| each(&i.ipv6_addresses))
        }),
        ("network-interface.network-interface-id", |_, instance| some(instance.interface)),
        ("network-interface.subnet-id", |context, instance| of_interface(context, instance, |i| one(i.subnet))),
        ("network-interface.vpc-id", |context, instance| of_interface(context, instance, |i| one(i.vpc))),
        ("owner-id", |context, _| one(context.account())),
        ("private-ip-address", |context, instance| of_interface(context, instance, |i| one(i.private_ip))),
        ("reservation-id", |_, instance| one(instance.reservation)),
        ("subnet-id", |context, instance| of_interface(context, instance, |i| one(i.subnet))),
        ("tenancy", |_, _| one("default")),
        ("vpc-id", |context, instance| of_interface(context, instance, |i| one(i.vpc))),
    ],
    tags: Some(|instance| Cow::Borrowed(&instance.tags)),
};

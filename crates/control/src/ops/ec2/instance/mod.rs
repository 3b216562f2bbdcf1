//! Instances: records with an interface and EC2's states (EC2 API reference, RunInstances and its like, 2026-11). No machine is run.

mod attribute;
mod shown;
mod wanted;

use std::sync::Arc;

use topology::id::{InstanceId, ReservationId};
use topology::resource::instance::{Instance, InstanceState};
use topology::resource::network_interface::InterfaceOwner;
use wire::Fault;
use wire::ec2 as shapes;

pub(super) use self::attribute::{attribute, modify_attribute, monitor, unmonitor};
pub(super) use self::shown::{credits, describe, statuses, types};
use self::wanted::Wanted;
use super::{fault, network_interface, select};
use crate::context::Context;
use crate::interface::{self, NewInterface};

/// How long AWS takes to start, to stop and to end one.
const PENDING_S: i64 = 20;
const STOPPING_S: i64 = 30;
const SHUTTING_DOWN_S: i64 = 30;

/// Makes as many as are wanted, all or none.
pub(super) fn run(context: &mut Context<'_>, input: shapes::RunInstancesRequest) -> Result<shapes::Reservation, Fault> {
    let wanted = Wanted::parse(context, input)?;
    let reservation = ReservationId::from_bits(context.mint.wide());
    let mut made = Vec::new();
    for at in 0..wanted.count {
        made.push(launch(context, &wanted, (reservation, at))?);
    }
    let instances = made.iter().map(|instance| shown::render(context, instance)).collect();
    Ok(shown::reservation(context, reservation, instances))
}

fn launch(
    context: &mut Context<'_>,
    wanted: &Wanted,
    (reservation, launch_index): (ReservationId, u32),
) -> Result<Arc<Instance>, Fault> {
    let id = InstanceId::from_bits(context.mint.wide());
    let new = NewInterface {
        subnet: wanted.subnet.id,
        address: wanted.address,
        ipv6: wanted.ipv6.clone(),
        description: wanted.interface_description.clone(),
        groups: wanted.groups.clone(),
        owner: InterfaceOwner::Instance(id),
        tags: wanted.interface_tags.clone(),
    };
    let (estate, mint) = context.edit_with_mint();
    let made = interface::create(estate, mint, new);
    let interface = made.map_err(|error| network_interface::refused(&wanted.subnet.id.to_string(), &error))?;
    let found = context.estate().network_interfaces.get(&interface).map(|interface| interface.private_ip);
    let private_ip = found.ok_or_else(|| Fault::internal("the new interface is gone"))?;
    let instance = Instance {
        id,
        reservation,
        launch_index,
        client_token: wanted.client_token.clone(),
        vpc: wanted.subnet.vpc,
        subnet: wanted.subnet.id,
        interface: Some(interface),
        private_ip,
        state: InstanceState::Pending(context.ready_at(PENDING_S)),
        launched: context.now,
        is_kept: wanted.is_kept,
        is_kept_running: wanted.is_kept_running,
        machine: wanted.machine.clone(),
        tags: wanted.tags.clone(),
    };
    context.edit().instances.insert(id, instance);
    named(context, &id.to_string())
}

fn named(context: &Context<'_>, id: &str) -> Result<Arc<Instance>, Fault> {
    select::known(&context.estate().instances, id, fault::INSTANCE)
}

/// What an instance is told; all that are named obey, or none.
pub(super) fn start(context: &mut Context<'_>, ids: &[String]) -> Result<shapes::StartInstancesResult, Fault> {
    let (pending, now) = (InstanceState::Pending(context.ready_at(PENDING_S)), context.now);
    let changed = change(context, ids, |instance| match instance.state {
        InstanceState::Pending(_) | InstanceState::Running => Ok(instance.state),
        InstanceState::Stopped => {
            instance.launched = now;
            Ok(pending)
        }
        InstanceState::Stopping(_) | InstanceState::ShuttingDown(_) | InstanceState::Terminated(_) => {
            Err(cannot(instance.id, "started"))
        }
    })?;
    Ok(shapes::StartInstancesResult { starting_instances: Some(changed) })
}

pub(super) fn stop(context: &mut Context<'_>, ids: &[String]) -> Result<shapes::StopInstancesResult, Fault> {
    let stopping = InstanceState::Stopping(context.ready_at(STOPPING_S));
    let changed = change(context, ids, |instance| match instance.state {
        InstanceState::Stopping(_) | InstanceState::Stopped => Ok(instance.state),
        InstanceState::Running if instance.is_kept_running => {
            Err(not_permitted(instance.id, "stopped", "disableApiStop"))
        }
        InstanceState::Running => Ok(stopping),
        InstanceState::Pending(_) | InstanceState::ShuttingDown(_) | InstanceState::Terminated(_) => {
            Err(cannot(instance.id, "stopped"))
        }
    })?;
    Ok(shapes::StopInstancesResult { stopping_instances: Some(changed) })
}

pub(super) fn terminate(context: &mut Context<'_>, ids: &[String]) -> Result<shapes::TerminateInstancesResult, Fault> {
    let ending = InstanceState::ShuttingDown(context.ready_at(SHUTTING_DOWN_S));
    let changed = change(context, ids, |instance| {
        if instance.state.is_ending() {
            return Ok(instance.state);
        }
        if instance.is_kept {
            return Err(not_permitted(instance.id, "terminated", "disableApiTermination"));
        }
        Ok(ending)
    })?;
    Ok(shapes::TerminateInstancesResult { terminating_instances: Some(changed) })
}

fn change(
    context: &mut Context<'_>,
    ids: &[String],
    next: impl Fn(&mut Instance) -> Result<InstanceState, Fault>,
) -> Result<Vec<shapes::InstanceStateChange>, Fault> {
    let mut changes = Vec::new();
    for id in ids {
        let before = named(context, id)?;
        let mut after = Instance::clone(&before);
        after.state = next(&mut after)?;
        changes.push(shapes::InstanceStateChange {
            current_state: Some(shown::state(after.state)),
            instance_id: Some(id.clone()),
            previous_state: Some(shown::state(before.state)),
        });
        if after != *before {
            context.edit().instances.insert(before.id, after);
        }
    }
    Ok(changes)
}

fn cannot(id: InstanceId, what: &str) -> Fault {
    fault::new("IncorrectInstanceState", format!("The instance '{id}' is not in a state from which it can be {what}."))
}

fn not_permitted(id: InstanceId, what: &str, attribute: &str) -> Fault {
    fault::new(
        "OperationNotPermitted",
        format!("The instance '{id}' may not be {what}. Modify its '{attribute}' instance attribute and try again."),
    )
}

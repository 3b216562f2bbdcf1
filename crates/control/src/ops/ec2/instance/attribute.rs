//! Attributes of instances, one at a time.

use topology::resource::instance::Instance;
use wire::Fault;
use wire::ec2 as shapes;

use super::super::{fault, network_interface};
use super::{named, shown};
use crate::context::Context;

pub(in super::super) fn attribute(
    context: &Context<'_>,
    input: &shapes::DescribeInstanceAttributeRequest,
) -> Result<shapes::InstanceAttribute, Fault> {
    let instance = named(context, &input.instance_id)?;
    let text = |value: &str| Some(shapes::AttributeValue { value: Some(value.to_owned()) });
    let flag = |value: bool| Some(shapes::AttributeBooleanValue { value: Some(value) });
    let interface = shown::interface(context, &instance);
    let machine = &instance.machine;
    let mut answer = shapes::InstanceAttribute {
        instance_id: Some(instance.id.to_string()),
        ..shapes::InstanceAttribute::default()
    };
    match input.attribute.as_str() {
        "disableApiStop" => answer.disable_api_stop = flag(instance.is_kept_running),
        "disableApiTermination" => answer.disable_api_termination = flag(instance.is_kept),
        "ebsOptimized" => answer.ebs_optimized = flag(machine.is_ebs_optimized),
        "groupSet" => answer.groups = interface.and_then(|interface| interface.groups),
        "instanceInitiatedShutdownBehavior" => {
            answer.instance_initiated_shutdown_behavior = text(&machine.on_shutdown);
        }
        "instanceType" => answer.instance_type = text(&machine.kind),
        "sourceDestCheck" => {
            answer.source_dest_check = flag(interface.is_some_and(|i| i.source_dest_check == Some(true)))
        }
        "userData" => {
            let value = machine.user_data.as_ref().map(|data| data.0.clone());
            answer.user_data = Some(shapes::AttributeValue { value });
        }
        other => return Err(fault::unsupported(&format!("the attribute '{other}'"))),
    }
    Ok(answer)
}

pub(in super::super) fn monitor(
    context: &mut Context<'_>,
    ids: &[String],
) -> Result<shapes::MonitorInstancesResult, Fault> {
    Ok(shapes::MonitorInstancesResult { instance_monitorings: Some(set_monitored(context, ids, true)?) })
}

pub(in super::super) fn unmonitor(
    context: &mut Context<'_>,
    ids: &[String],
) -> Result<shapes::UnmonitorInstancesResult, Fault> {
    Ok(shapes::UnmonitorInstancesResult { instance_monitorings: Some(set_monitored(context, ids, false)?) })
}

/// Whether detailed monitoring is asked for; nothing is measured.
fn set_monitored(
    context: &mut Context<'_>,
    ids: &[String],
    is_monitored: bool,
) -> Result<Vec<shapes::InstanceMonitoring>, Fault> {
    let mut shown = Vec::new();
    for id in ids {
        let instance = named(context, id)?;
        if let Some(instance) = context.edit().instances.edit(&instance.id) {
            instance.machine.is_monitored = is_monitored;
        }
        // AWS says that it is on its way, and it is there by the next call.
        let state = if is_monitored { "pending" } else { "disabling" };
        let monitoring = Some(shapes::Monitoring { state: Some(state.to_owned()) });
        shown.push(shapes::InstanceMonitoring { instance_id: Some(id.clone()), monitoring });
    }
    Ok(shown)
}

pub(in super::super) fn modify_attribute(
    context: &mut Context<'_>,
    input: shapes::ModifyInstanceAttributeRequest,
) -> Result<(), Fault> {
    let before = named(context, &input.instance_id)?;
    if before.state.is_ending() {
        let text = format!("The instance '{}' is not in a valid state for this operation.", before.id);
        return Err(fault::new("IncorrectInstanceState", text));
    }
    let wanted = |value: &Option<shapes::AttributeBooleanValue>| value.as_ref().and_then(|value| value.value);
    let mut after = Instance::clone(&before);
    after.is_kept = wanted(&input.disable_api_termination).unwrap_or(before.is_kept);
    after.is_kept_running = wanted(&input.disable_api_stop).unwrap_or(before.is_kept_running);
    if let Some(behavior) = input.instance_initiated_shutdown_behavior.and_then(|value| value.value) {
        if !["stop", "terminate"].contains(&behavior.as_str()) {
            let text = format!("Value ({behavior}) for parameter instanceInitiatedShutdownBehavior is invalid");
            return Err(fault::invalid_value(text));
        }
        after.machine.on_shutdown = behavior;
    }
    let groups = input.groups.filter(|groups| !groups.is_empty());
    let groups = groups.map(|ids| network_interface::known_groups(context, before.vpc, ids)).transpose()?;
    let check = wanted(&input.source_dest_check);
    let estate = context.edit();
    if let Some(interface) = before.interface.and_then(|id| estate.network_interfaces.edit(&id)) {
        interface.groups = groups.unwrap_or_else(|| interface.groups.clone());
        interface.source_dest_check = check.unwrap_or(interface.source_dest_check);
    }
    estate.instances.insert(before.id, after);
    Ok(())
}

//! What would open a stage to an API key that was refused, or give it more of its quota: the commands, by what the snapshot knows
//! of the key and the stage's plans. A key that nobody knows has none.

use super::path::Path;
use crate::id::{ApiKeyId, UsagePlanId};
use crate::reason::Reason;
use crate::snapshot::gateway::Stage;
use crate::trace::{HopId, Trace};

/// The commands, in the order in which they are needed.
pub(super) fn commands(path: &Path<'_>, trace: &Trace) -> Vec<String> {
    let key = trace.hops.iter().find_map(|hop| if let HopId::ApiKey(id) = hop.id { Some(id) } else { None });
    let plan = trace.hops.iter().find_map(|hop| if let HopId::UsagePlan(id) = hop.id { Some(id) } else { None });
    match (trace.reason, key, plan) {
        (Some(Reason::ApiKeyInvalid), Some(key), _) => opened(path, trace, key),
        (Some(Reason::QuotaExceeded), Some(key), Some(plan)) => vec![granted(plan, key)],
        _ => Vec::new(),
    }
}

fn opened(path: &Path<'_>, trace: &Trace, key: ApiKeyId) -> Vec<String> {
    let usage = &path.realm.gateway.usage;
    let mut commands = Vec::new();
    if usage.is_disabled(key) {
        commands.push(format!(
            "aws apigateway update-api-key --api-key {key} --patch-operations op=replace,path=/enabled,value=true"
        ));
    }
    let stage = path.api.and_then(|api| api.stages.iter().find(|stage| stage.name == *trace.stage));
    let Some(rest) = stage.and_then(|stage: &Stage| stage.rest.as_deref()) else { return commands };
    if rest.plan_of_key.contains_key(&key) {
        return commands;
    }
    let plan = rest.plans.first().and_then(|on_stage| usage.plan(on_stage.plan));
    if let Some(plan) = plan {
        let plan = plan.id;
        commands.push(format!(
            "aws apigateway create-usage-plan-key --usage-plan-id {plan} --key-type API_KEY --key-id {key}"
        ));
    } else if let (Some(plan), Some(api)) = (usage.plans.iter().find(|p| p.members.contains_key(&key)), path.api) {
        let (plan, api, stage) = (plan.id, api.id, &trace.stage);
        commands.push(format!(
            "aws apigateway update-usage-plan --usage-plan-id {plan} --patch-operations op=add,path=/apiStages,value={api}:{stage}"
        ));
    }
    commands
}

/// One request more: how many are wanted, nobody here knows.
fn granted(plan: UsagePlanId, key: ApiKeyId) -> String {
    format!(
        "aws apigateway update-usage --usage-plan-id {plan} --key-id {key} --patch-operations op=replace,path=/remaining,value=1"
    )
}

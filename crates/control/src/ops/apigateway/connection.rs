//! How an integration is reached: over the internet, or by a VPC link of either version (REST API developer guide, "Private
//! integrations", 2026-11). What was meant by a wrong link or target is told to `explain`, never to the caller.

use topology::arn::{ElbArn, ElbResource};
use topology::id::{VpcLinkId, VpcLinkV1Id};
use topology::reason::Reason;
use topology::resource::rest_api::RestConnection;
use wire::Fault;

use super::fault;
use crate::context::{ApiRefusal, Context};

/// What a request says of the connection: type, link and target.
pub(super) type Wanted = (Option<String>, Option<String>, Option<String>);

/// Which link a `connectionId` names.
enum Link {
    V1,
    V2(VpcLinkId),
    /// A stage variable: which one it is shows when a request comes.
    Variable,
}

/// The connection that a type, a link and a target make. A link of version 2 has no target of its own, so that the integration
/// names one; a link of version 1 has.
pub(super) fn checked(context: &mut Context<'_>, wanted: Wanted) -> Result<RestConnection, Fault> {
    let (kind, id, target) = wanted;
    if kind.as_deref() != Some("VPC_LINK") {
        return match (id, target) {
            (None, None) => Ok(RestConnection::Internet),
            _ => {
                Err(fault::bad_request("ConnectionId and IntegrationTarget are only valid for connectionType VPC_LINK"))
            }
        };
    }
    let id = id.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| fault::bad_request("ConnectionId must be specified for connectionType VPC_LINK"))?;
    let target = target.filter(|target| !target.is_empty());
    let link = link(context, &id).ok_or_else(|| unknown(context, &id))?;
    if target.as_deref().is_some_and(|target| !is_target(context, target)) {
        let meant = balancers_meant(context, &link);
        let fault = fault::bad_request("Invalid ARN specified in the request");
        return Err(refuse(context, (Reason::IntegrationTargetNotListener, meant), fault));
    }
    match (&link, &target) {
        (Link::V2(_), None) => {
            let meant = balancers_meant(context, &link);
            let fault = fault::bad_request("IntegrationTarget is required for VpcLinkV2");
            Err(refuse(context, (Reason::LinkVersionMismatch, meant), fault))
        }
        (Link::V1, Some(_)) => {
            let meant = context.estate().vpc_links.values().map(|link| link.id.to_string()).collect();
            let fault = fault::bad_request("IntegrationTarget is only valid for VpcLinkV2");
            Err(refuse(context, (Reason::LinkVersionMismatch, meant), fault))
        }
        _ => Ok(RestConnection::VpcLink { id, target }),
    }
}

fn link(context: &Context<'_>, id: &str) -> Option<Link> {
    let estate = context.estate();
    if let Some(id) = id.parse().ok().filter(|id| estate.vpc_links.contains(id)) {
        return Some(Link::V2(id));
    }
    if id.parse::<VpcLinkV1Id>().is_ok_and(|id| estate.vpc_links_v1.contains(&id)) {
        return Some(Link::V1);
    }
    let is_variable = id.strip_prefix("${stageVariables.").is_some_and(|rest| rest.ends_with('}'));
    is_variable.then_some(Link::Variable)
}

fn unknown(context: &mut Context<'_>, id: &str) -> Fault {
    let estate = context.estate();
    let v2 = estate.vpc_links.values().map(|link| link.id.to_string());
    let meant = v2.chain(estate.vpc_links_v1.values().map(|link| link.id.to_string())).collect();
    refuse(context, (Reason::LinkNotFound, meant), fault::bad_request(format!("Invalid connection id {id}")))
}

/// Whether an ARN is one of a load balancer or a listener of the caller, and that is there.
fn is_target(context: &Context<'_>, arn: &str) -> bool {
    let estate = context.estate();
    arn.parse().is_ok_and(|arn: ElbArn| {
        let is_there = match &arn.resource {
            ElbResource::LoadBalancer(name) => estate.load_balancers.contains(&name.id),
            ElbResource::Listener(name, id) => {
                estate.listeners.get(id).is_some_and(|listener| listener.load_balancer == name.id)
            }
            ElbResource::Rule(..) | ElbResource::TargetGroup { .. } | ElbResource::TrustStore { .. } => false,
        };
        arn.realm == *context.realm() && is_there
    })
}

/// The load balancers that a link can lead to, by ARN: those of its VPC.
fn balancers_meant(context: &Context<'_>, link: &Link) -> Vec<String> {
    let estate = context.estate();
    let vpc = match link {
        Link::V2(id) => estate.vpc_links.get(id).map(|link| link.vpc),
        Link::V1 | Link::Variable => None,
    };
    let reachable = estate.load_balancers.values().filter(|balancer| vpc.is_none_or(|vpc| balancer.vpc == vpc));
    let (region, account) = (context.region(), context.account());
    let arn = |full_name| format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{full_name}");
    reachable.map(|balancer| arn(balancer.full_name())).collect()
}

/// Notes what was meant; load balancers among it are targets that would do.
fn refuse(context: &mut Context<'_>, (reason, meant): (Reason, Vec<String>), fault: Fault) -> Fault {
    let targets = meant.iter().filter(|meant| meant.starts_with("arn:"));
    let fix = targets
        .map(|arn| {
            format!(
                "aws apigateway put-integration --rest-api-id API_ID --resource-id RESOURCE_ID --http-method METHOD --type HTTP_PROXY --integration-http-method ANY --uri http://HOST/PATH --connection-type VPC_LINK --connection-id VPC_LINK_ID --integration-target {arn}"
            )
        })
        .collect();
    context.refuse(ApiRefusal { reason, meant, fix }, fault)
}

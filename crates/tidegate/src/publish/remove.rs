//! What is published is taken away, from the outside inward. What is not there any more is passed over, so that a removal that was broken off
//! is finished by another. Only what bears the tag of the name, or the name that is made of it, is touched.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use topology::id::HostName;

use super::calls::{Calls, Operation, ec2, elb, v2};
use super::certificate;
use super::private::{self, ADDRESS, Groups, Named, PORT, until};
use super::public::{self, Api, Kind};
use crate::client::{Complaint, Server};
use crate::wishes::DetachWish;

/// How long something may take to go: a link's minutes, where `delays` has them.
const GONE_WITHIN: Duration = Duration::from_secs(600);

/// Takes everything of a host away, and tells whether there was anything.
pub(super) async fn all(calls: &mut Calls, server: &Server, host: &HostName) -> Result<bool, Complaint> {
    let outside = outside(calls, host).await?;
    let inside = inside(calls, server, host).await?;
    Ok(outside || inside)
}

async fn outside(calls: &mut Calls, host: &HostName) -> Result<bool, Complaint> {
    let mut was_there = false;
    let domain = public::domain(calls, host).await?.filter(|domain| public::is_published(domain, host));
    if let Some(domain) = domain {
        was_there = true;
        take(calls, public::delete_domain(host.as_str())).await?;
        if let Some(arn) = certificate::of(&domain) {
            take(calls, certificate::delete(&arn)).await?;
        }
    }
    keys(calls, host).await?;
    for api in public::apis(calls, host).await? {
        was_there = true;
        take(calls, api.kind.delete(&api.id)).await?;
    }
    Ok(was_there)
}

/// Takes the key and the plan of a REST API away.
async fn keys(calls: &mut Calls, host: &HostName) -> Result<(), Complaint> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(plan) = public::tagged(calls, "/usageplans", host).await? {
        let id = text(&plan["id"]);
        for stage in plan["apiStages"].as_array().into_iter().flatten() {
            take(calls, public::leave_plan(&id, (&text(&stage["apiId"]), &text(&stage["stage"])))).await?;
        }
        take(calls, public::delete_plan(&id)).await?;
    }
    if let Some(key) = public::tagged(calls, "/apikeys", host).await? {
        take(calls, public::delete_key(&text(&key["id"]))).await?;
    }
    Ok(())
}

/// Takes an API away that another took over from, with its key.
pub(super) async fn beside(calls: &mut Calls, host: &HostName, api: &Api) -> Result<(), Complaint> {
    if api.kind == Kind::Rest {
        keys(calls, host).await?;
    }
    take(calls, api.kind.delete(&api.id)).await
}

async fn take(calls: &mut Calls, (delete, input): (Operation, Value)) -> Result<(), Complaint> {
    calls.remove(delete, input).await
}

async fn inside(calls: &mut Calls, server: &Server, host: &HostName) -> Result<bool, Complaint> {
    let name = private::name(host);
    if let Some(link) = private::link_of(calls, &name).await? {
        let input = json!({ "VpcLinkId": link });
        calls.remove(v2("DeleteVpcLink", Method::DELETE, "/v2/vpclinks/{VpcLinkId}"), input.clone()).await?;
        until(GONE_WITHIN, "the link is gone", async || {
            let read = v2("GetVpcLink", Method::GET, "/v2/vpclinks/{VpcLinkId}");
            Ok(calls.find(read, input.clone()).await?.is_none())
        })
        .await?;
    }
    if let Some(arn) = private::arn_of(calls, &name, Named::LoadBalancer).await? {
        calls.remove(elb("DeleteLoadBalancer"), json!({ "LoadBalancerArn": arn })).await?;
    }
    if let Some(arn) = private::arn_of(calls, &name, Named::TargetGroup).await? {
        calls.remove(elb("DeleteTargetGroup"), json!({ "TargetGroupArn": arn })).await?;
    }
    let Some(vpc) = private::vpc(calls, host).await? else { return Ok(false) };
    if private::served(server, &vpc).await?.is_some() {
        let wish = DetachWish {
            realm: server.realm().clone(),
            private_ip: topology::resource::attachment::Served::Address(ADDRESS.into()),
            port: Some(PORT),
            vpc: vpc.parse().ok(),
        };
        server.detach(&wish).await?;
    }
    network(calls, &vpc, &name).await?;
    Ok(true)
}

/// Groups that name one another can go only once they do not.
async fn network(calls: &mut Calls, vpc: &str, name: &str) -> Result<(), Complaint> {
    let mut ids = Vec::new();
    for of in ["link", "alb", "service"] {
        ids.push(private::group(calls, vpc, &format!("{name}-{of}")).await?);
    }
    if let [Some(link), Some(balancer), Some(service)] = &ids[..] {
        let (link, balancer, service) = (link.clone(), balancer.clone(), service.clone());
        for (side, rule) in private::rules(&Groups { link, balancer, service }) {
            let revoke = if side == "Egress" { "RevokeSecurityGroupEgress" } else { "RevokeSecurityGroupIngress" };
            calls.remove(ec2(revoke), rule).await?;
        }
    }
    for id in ids.into_iter().flatten() {
        gone(calls, "DeleteSecurityGroup", json!({ "GroupId": id })).await?;
    }
    let filters = json!([{ "Name": "vpc-id", "Values": [vpc] }]);
    for subnet in calls.read(ec2("DescribeSubnets"), json!({ "Filters": filters })).await?.all("subnetId") {
        gone(calls, "DeleteSubnet", json!({ "SubnetId": subnet })).await?;
    }
    gone(calls, "DeleteVpc", json!({ "VpcId": vpc })).await
}

/// Deletes once nothing depends on it: the interfaces of a link and a load balancer go after them.
async fn gone(calls: &mut Calls, operation: &'static str, input: Value) -> Result<(), Complaint> {
    until(GONE_WITHIN, "nothing depends on what is deleted", async || {
        match calls.remove(ec2(operation), input.clone()).await {
            Err(Complaint::Aws { code, .. }) if code == "DependencyViolation" => Ok(false),
            done => done.map(|()| true),
        }
    })
    .await
}

//! What is published is taken away, from the outside inward. What is not there any more is passed over, so that a removal that was broken off
//! is finished by another. Only what bears the tag of the name, or the name that is made of it, is touched.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use topology::id::HostName;

use super::calls::{Calls, acm, ec2, elb, v1, v2};
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
        let delete = v2("DeleteDomainName", Method::DELETE, "/v2/domainnames/{DomainName}");
        calls.remove(delete, json!({ "DomainName": host.as_str() })).await?;
        if let Some(arn) = domain["domainNameConfigurations"][0]["certificateArn"].as_str() {
            calls.remove(acm("DeleteCertificate"), json!({ "CertificateArn": arn })).await?;
        }
    }
    keys(calls, host).await?;
    for api in public::apis(calls, host).await? {
        was_there = true;
        remove_api(calls, &api).await?;
    }
    Ok(was_there)
}

/// Takes the key and the plan of a REST API away.
async fn keys(calls: &mut Calls, host: &HostName) -> Result<(), Complaint> {
    if let Some(plan) = public::tagged(calls, "/usageplans", host).await? {
        for stage in plan["apiStages"].as_array().into_iter().flatten() {
            let text = |name: &str| stage[name].as_str().unwrap_or_default().to_owned();
            let value = format!("{}:{}", text("apiId"), text("stage"));
            let leave = json!([{ "op": "remove", "path": "/apiStages", "value": value }]);
            let update = v1("UpdateUsagePlan", Method::PATCH, "/usageplans/{usagePlanId}");
            calls.remove(update, json!({ "usagePlanId": plan["id"], "patchOperations": leave })).await?;
        }
        let delete = v1("DeleteUsagePlan", Method::DELETE, "/usageplans/{usagePlanId}");
        calls.remove(delete, json!({ "usagePlanId": plan["id"] })).await?;
    }
    if let Some(key) = public::tagged(calls, "/apikeys", host).await? {
        let delete = v1("DeleteApiKey", Method::DELETE, "/apikeys/{apiKey}");
        calls.remove(delete, json!({ "apiKey": key["id"] })).await?;
    }
    Ok(())
}

/// Takes an API away that another took over from, with its key.
pub(super) async fn beside(calls: &mut Calls, host: &HostName, api: &Api) -> Result<(), Complaint> {
    if api.kind == Kind::Rest {
        keys(calls, host).await?;
    }
    remove_api(calls, api).await
}

/// Takes an API away.
async fn remove_api(calls: &mut Calls, api: &Api) -> Result<(), Complaint> {
    let (delete, input) = api.kind.delete(&api.id);
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
            private_ip: topology::resource::attachment::Served::Address(ADDRESS),
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

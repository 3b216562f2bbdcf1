//! The demo's stack: a VPC, an internal load balancer with three private services behind it, a VPC link and an HTTP API.
//! Built by AWS's own operations through the AWS endpoint, with the narrowest security groups that work.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::backend;
use crate::client::aws::{Aws, EC2, ELB, text};
use crate::client::{Complaint, Server};
use crate::wishes::AttachWish;

/// How often a state in between is looked at, and how often at most.
const POLL: (Duration, u32) = (Duration::from_millis(20), 500);

/// The private port of every service.
pub(super) const PORT: u16 = 8080;

/// A private service: which target group, which address.
pub(super) struct Service {
    /// What it is called.
    pub(super) name: &'static str,
    /// Whether it is one of the reports, which have a rule of their own.
    pub(super) is_report: bool,
    /// Its private address.
    pub(super) address: &'static str,
    /// Which of the two subnets that is of.
    pub(super) zone: usize,
}

/// All of them.
pub(super) const SERVICES: [Service; 3] = [
    Service { name: "orders-a", is_report: false, address: "10.0.10.10", zone: 0 },
    Service { name: "orders-b", is_report: false, address: "10.0.11.10", zone: 1 },
    Service { name: "reports", is_report: true, address: "10.0.10.20", zone: 0 },
];

/// What was built.
pub(super) struct Stack {
    /// Where it is.
    pub(super) network: Network,
    /// The API.
    pub(super) api: String,
    /// The name of the load balancer.
    pub(super) balancer_name: String,
    link_group: String,
    balancer_group: String,
    groups: [String; 2],
}

/// The private network.
pub(super) struct Network {
    vpc: String,
    /// One in each zone.
    pub(super) subnets: [String; 2],
}

/// Groups of programs that call the load balancer from inside.
pub(super) struct Callers {
    /// Its group lets them in.
    pub(super) let_in: String,
    /// It does not.
    pub(super) kept_out: String,
}

/// Builds everything, with the services placed in the network under a group by somebody else.
pub(super) async fn build(
    aws: &Aws,
    place: impl AsyncFnOnce(&Network, &str) -> Result<(), Complaint>,
) -> Result<Stack, Complaint> {
    let network = network(aws).await?;
    let link_group = group(aws, &network.vpc, "link").await?;
    let balancer_group = group(aws, &network.vpc, "balancer").await?;
    let target_group = group(aws, &network.vpc, "services").await?;
    for (side, of, port, peer) in [
        ("Egress", &link_group, 80, &balancer_group),
        ("Ingress", &balancer_group, 80, &link_group),
        ("Egress", &balancer_group, PORT, &target_group),
        ("Ingress", &target_group, PORT, &balancer_group),
    ] {
        allow(aws, side, of, port, peer).await?;
    }
    place(&network, &target_group).await?;
    let Balancer { listener, name, groups } = balancer(aws, &network, &balancer_group).await?;
    let api = gateway(aws, &network, &link_group, &listener).await?;
    Ok(Stack { network, api, balancer_name: name, link_group, balancer_group, groups })
}

/// Makes the groups of programs that call the load balancer from inside; both let them out to it.
pub(super) async fn callers(aws: &Aws, stack: &Stack) -> Result<Callers, Complaint> {
    let vpc = &stack.network.vpc;
    let (let_in, kept_out) = (group(aws, vpc, "callers").await?, group(aws, vpc, "strangers").await?);
    for (side, of, peer) in [
        ("Egress", &let_in, &stack.balancer_group),
        ("Egress", &kept_out, &stack.balancer_group),
        ("Ingress", &stack.balancer_group, &let_in),
    ] {
        allow(aws, side, of, 80, peer).await?;
    }
    Ok(Callers { let_in, kept_out })
}

async fn network(aws: &Aws) -> Result<Network, Complaint> {
    let vpc = aws.form(EC2, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]).await?.first("vpcId")?;
    let mut subnets = Vec::new();
    for (cidr, zone) in [("10.0.10.0/24", "us-east-1a"), ("10.0.11.0/24", "us-east-1b")] {
        let members = [("VpcId", vpc.as_str()), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
        subnets.push(aws.form(EC2, "CreateSubnet", &members).await?.first("subnetId")?);
    }
    let subnets = <[String; 2]>::try_from(subnets).map_err(|_| Complaint::System("two subnets are two".to_owned()))?;
    Ok(Network { vpc, subnets })
}

/// A group that lets nothing through in either direction.
async fn group(aws: &Aws, vpc: &str, name: &str) -> Result<String, Complaint> {
    let members = [("GroupName", name), ("GroupDescription", "demo"), ("VpcId", vpc)];
    let id = aws.form(EC2, "CreateSecurityGroup", &members).await?.first("groupId")?;
    let everything = [
        ("GroupId", id.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ];
    aws.form(EC2, "RevokeSecurityGroupEgress", &everything).await?;
    Ok(id)
}

/// Lets another group's interfaces through at one port.
async fn allow(aws: &Aws, side: &str, of: &str, port: u16, peer: &str) -> Result<(), Complaint> {
    change(aws, &format!("AuthorizeSecurityGroup{side}"), of, port, peer).await
}

/// Takes the rule away that lets the link into the load balancer.
pub(super) async fn break_it(aws: &Aws, stack: &Stack) -> Result<(), Complaint> {
    change(aws, "RevokeSecurityGroupIngress", &stack.balancer_group, 80, &stack.link_group).await
}

async fn change(aws: &Aws, action: &str, of: &str, port: u16, peer: &str) -> Result<(), Complaint> {
    let port = port.to_string();
    let members = [
        ("GroupId", of),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", &port),
        ("IpPermissions.1.ToPort", &port),
        ("IpPermissions.1.Groups.1.GroupId", peer),
    ];
    aws.form(EC2, action, &members).await.map(drop)
}

/// Starts the services as programs of this machine, and attaches them.
pub(super) async fn attach(server: &Server, network: &Network, group: &str) -> Result<(), Complaint> {
    let wrong = |what: &str| Complaint::System(format!("{what} is not what AWS calls one"));
    for service in &SERVICES {
        let host = backend::start(service.name).await.map_err(|error| Complaint::System(error.to_string()))?;
        let wish = AttachWish {
            realm: server.realm().clone(),
            private_ip: service.address.parse().map_err(|_| wrong(service.address))?,
            port: Some(PORT),
            host,
            vpc: Some(network.vpc.parse().map_err(|_| wrong(&network.vpc))?),
            security_groups: vec![group.parse().map_err(|_| wrong(group))?],
        };
        server.attach(&wish).await?;
    }
    Ok(())
}

struct Balancer {
    listener: String,
    name: String,
    /// Target groups: orders, reports.
    groups: [String; 2],
}

async fn balancer(aws: &Aws, network: &Network, group: &str) -> Result<Balancer, Complaint> {
    let [subnet_a, subnet_b] = &network.subnets;
    let members = [
        ("Name", "demo"),
        ("Scheme", "internal"),
        ("Type", "application"),
        ("Subnets.member.1", subnet_a.as_str()),
        ("Subnets.member.2", subnet_b.as_str()),
        ("SecurityGroups.member.1", group),
    ];
    let made = aws.form(ELB, "CreateLoadBalancer", &members).await?;
    let (arn, name) = (made.first("LoadBalancerArn")?, made.first("DNSName")?);
    let orders = targets(aws, &network.vpc, "orders", SERVICES.iter().filter(|service| !service.is_report)).await?;
    let reports = targets(aws, &network.vpc, "reports", SERVICES.iter().filter(|service| service.is_report)).await?;
    let forward = [("DefaultActions.member.1.Type", "forward"), ("DefaultActions.member.1.TargetGroupArn", &orders)];
    let members = [&[("LoadBalancerArn", arn.as_str()), ("Protocol", "HTTP"), ("Port", "80")][..], &forward].concat();
    let listener = aws.form(ELB, "CreateListener", &members).await?.first("ListenerArn")?;
    let rule = [
        ("ListenerArn", listener.as_str()),
        ("Priority", "10"),
        ("Conditions.member.1.Field", "path-pattern"),
        ("Conditions.member.1.Values.member.1", "/reports*"),
        ("Actions.member.1.Type", "forward"),
        ("Actions.member.1.TargetGroupArn", &reports),
    ];
    aws.form(ELB, "CreateRule", &rule).await?;
    let state =
        async || aws.form(ELB, "DescribeLoadBalancers", &[("LoadBalancerArns.member.1", &arn)]).await?.first("Code");
    until("the load balancer is active", async || Ok(state().await? == "active")).await?;
    Ok(Balancer { listener, name, groups: [orders, reports] })
}

async fn targets(
    aws: &Aws,
    vpc: &str,
    name: &str,
    services: impl Iterator<Item = &Service>,
) -> Result<String, Complaint> {
    let port = PORT.to_string();
    let members = [("Name", name), ("Protocol", "HTTP"), ("Port", &port), ("VpcId", vpc), ("TargetType", "ip")];
    let arn = aws.form(ELB, "CreateTargetGroup", &members).await?.first("TargetGroupArn")?;
    for service in services {
        let members = [("TargetGroupArn", arn.as_str()), ("Targets.member.1.Id", service.address)];
        aws.form(ELB, "RegisterTargets", &members).await?;
    }
    Ok(arn)
}

/// The API's id.
async fn gateway(aws: &Aws, network: &Network, group: &str, listener: &str) -> Result<String, Complaint> {
    let link = json!({ "name": "demo", "subnetIds": network.subnets, "securityGroupIds": [group] });
    let link = text(&aws.rest(Method::POST, "/v2/vpclinks", &link).await?, "vpcLinkId")?;
    let api = json!({ "name": "demo", "protocolType": "HTTP" });
    let api = text(&aws.rest(Method::POST, "/v2/apis", &api).await?, "apiId")?;
    let integration = json!({
        "integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": listener,
        "connectionType": "VPC_LINK", "connectionId": link, "payloadFormatVersion": "1.0",
    });
    let integration = aws.rest(Method::POST, &format!("/v2/apis/{api}/integrations"), &integration).await?;
    let target = format!("integrations/{}", text(&integration, "integrationId")?);
    for key in ["GET /hello", "ANY /{proxy+}"] {
        let route = json!({ "routeKey": key, "target": target });
        aws.rest(Method::POST, &format!("/v2/apis/{api}/routes"), &route).await?;
    }
    let stage = json!({ "stageName": "$default", "autoDeploy": true });
    aws.rest(Method::POST, &format!("/v2/apis/{api}/stages"), &stage).await?;
    let state =
        async || text(&aws.rest(Method::GET, &format!("/v2/vpclinks/{link}"), &Value::Null).await?, "vpcLinkStatus");
    until("the link is available", async || Ok(state().await? == "AVAILABLE")).await?;
    Ok(api)
}

impl Stack {
    /// Waits until every target has passed a probe.
    pub(super) async fn healthy(&self, aws: &Aws) -> Result<(), Complaint> {
        for group in &self.groups {
            until("the targets are healthy", async || {
                let health = aws.form(ELB, "DescribeTargetHealth", &[("TargetGroupArn", group)]).await?;
                Ok(health.all("State").all(|state| state == "healthy"))
            })
            .await?;
        }
        Ok(())
    }
}

/// Looks until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> Result<bool, Complaint>) -> Result<(), Complaint> {
    let (every, times) = POLL;
    for _ in 0..times {
        if is_so().await? {
            return Ok(());
        }
        tokio::time::sleep(every).await;
    }
    Err(Complaint::Refused(format!("it took too long until {what}")))
}

//! The private side of what is published: a VPC of its own, two private subnets, groups that let through one way each, an internal load
//! balancer and a link to it. Each part is looked for by its name and made where it is missing, so that a second publication changes nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use topology::id::HostName;

use super::calls::{Calls, Operation, ec2, elb, v2};
use super::wish::Wish;
use crate::client::{Complaint, Server};
use crate::wishes::AttachWish;

/// The tag of what is published, with the name for its value.
pub(super) const TAG: &str = "tidegate:published";
/// The VPC, and its subnets.
const VPC: &str = "10.97.0.0/16";
const SUBNETS: [&str; 2] = ["10.97.0.0/24", "10.97.1.0/24"];
/// The private address that the service has.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 97, 0, 10);
/// The port that it has there, whatever it has on its own machine.
pub(super) const PORT: u16 = 8080;
/// The load balancer's port.
pub(super) const LISTENER_PORT: u16 = 80;
/// How often is looked whether something has happened.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// How long a link or a load balancer may take: AWS's minutes, where `delays` has them.
const MADE_WITHIN: Duration = Duration::from_secs(600);
/// How long the service may take to pass its first probe.
const WELL_WITHIN: Duration = Duration::from_secs(30);

/// The groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    pub(super) link: String,
    pub(super) balancer: String,
    pub(super) service: String,
}

/// What stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Private {
    pub(super) vpc: String,
    pub(super) groups: Groups,
    pub(super) target_group: String,
    pub(super) load_balancer: String,
    pub(super) listener: String,
    pub(super) link: String,
}

/// How a change is taken back.
#[derive(Debug)]
pub(super) enum Undo {
    /// By a call.
    Call(Operation, Value),
    /// By an attachment.
    Attach(Box<AttachWish>),
}

impl Undo {
    /// By this call.
    pub(super) fn call((operation, input): (Operation, Value)) -> Self {
        Self::Call(operation, input)
    }

    /// Whether it deletes a certificate.
    pub(super) fn is_of_certificate(&self) -> bool {
        matches!(self, Self::Call(operation, _) if operation.name == "DeleteCertificate")
    }
}

/// The name of a load balancer, a target group, a link and groups: at most 32 letters, digits and hyphens, and another for each host.
pub(super) fn name(host: &HostName) -> String {
    // FNV-1a (Fowler, Noll, Vo): the same on every machine and in every version, since what stands is found by it.
    let hash =
        host.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let spelled: String =
        host.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(19).collect();
    format!("tg-{}-{hash:08x}", spelled.trim_matches('-'))
}

pub(super) fn tags(host: &HostName) -> Value {
    json!([{ "Key": TAG, "Value": host.as_str() }])
}

fn filter(name: &str, value: &str) -> Value {
    json!([{ "Name": name, "Values": [value] }])
}

/// The VPC of a host.
pub(super) async fn vpc(calls: &Calls, host: &HostName) -> Result<Option<String>, Complaint> {
    let filters = filter(&format!("tag:{TAG}"), host.as_str());
    let found = calls.read(ec2("DescribeVpcs"), json!({ "Filters": filters })).await?;
    Ok(found.all("vpcId").into_iter().next())
}

/// Makes what is missing. The attachment and the health check may be changed; how that is taken back goes on the list.
pub(super) async fn build(
    (calls, server): (&mut Calls, &Server),
    (wish, to): (&Wish, SocketAddr),
    undo: &mut Vec<Undo>,
) -> Result<Private, Complaint> {
    let name = name(&wish.host);
    let vpc = network(calls, &wish.host).await?;
    let subnets = subnets(calls, &vpc).await?;
    let groups = groups(calls, &vpc, &name).await?;
    attach(server, (&vpc, &groups.service), to, undo).await?;
    let target_group = target_group(calls, (&vpc, &name), wish, undo).await?;
    let load_balancer = load_balancer(calls, &name, (&subnets, &groups.balancer)).await?;
    let listener = listener(calls, &load_balancer, &target_group).await?;
    let link = link(calls, &name, (&subnets, &groups.link)).await?;
    Ok(Private { vpc, groups, target_group, load_balancer, listener, link })
}

async fn network(calls: &mut Calls, host: &HostName) -> Result<String, Complaint> {
    if let Some(vpc) = vpc(calls, host).await? {
        return Ok(vpc);
    }
    let specifications = json!([{ "ResourceType": "vpc", "Tags": tags(host) }]);
    let input = json!({ "CidrBlock": VPC, "TagSpecifications": specifications });
    calls.change(ec2("CreateVpc"), input).await?.text("vpcId")
}

async fn subnets(calls: &mut Calls, vpc: &str) -> Result<Vec<String>, Complaint> {
    let found = calls.read(ec2("DescribeSubnets"), json!({ "Filters": filter("vpc-id", vpc) })).await?;
    let known: Vec<_> = found.all("cidrBlock").into_iter().zip(found.all("subnetId")).collect();
    let zones = calls.read(ec2("DescribeAvailabilityZones"), json!({})).await?.all("zoneName");
    let mut subnets = Vec::new();
    for (block, zone) in SUBNETS.into_iter().zip(zones) {
        let subnet = match known.iter().find(|(known, _)| known == block) {
            Some((_, subnet)) => subnet.clone(),
            None => {
                let input = json!({ "VpcId": vpc, "CidrBlock": block, "AvailabilityZone": zone });
                calls.change(ec2("CreateSubnet"), input).await?.text("subnetId")?
            }
        };
        subnets.push(subnet);
    }
    Ok(subnets)
}

/// The groups of a VPC by the ends of their names.
pub(super) async fn group(calls: &Calls, vpc: &str, name: &str) -> Result<Option<String>, Complaint> {
    let filters = json!([{ "Name": "vpc-id", "Values": [vpc] }, { "Name": "group-name", "Values": [name] }]);
    let found = calls.read(ec2("DescribeSecurityGroups"), json!({ "Filters": filters })).await?;
    Ok(found.all("groupId").into_iter().next())
}

async fn groups(calls: &mut Calls, vpc: &str, name: &str) -> Result<Groups, Complaint> {
    let mut made = Vec::new();
    for (of, text) in [("link", "VPC link"), ("alb", "internal load balancer"), ("service", "private service")] {
        let name = format!("{name}-{of}");
        let id = match group(calls, vpc, &name).await? {
            Some(id) => id,
            None => {
                let input = json!({ "GroupName": name, "Description": text, "VpcId": vpc });
                let id = calls.change(ec2("CreateSecurityGroup"), input).await?.text("groupId")?;
                let everything = json!([{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
                let input = json!({ "GroupId": id, "IpPermissions": everything });
                calls.change(ec2("RevokeSecurityGroupEgress"), input).await?;
                id
            }
        };
        made.push(id);
    }
    let [link, balancer, service] = <[String; 3]>::try_from(made).unwrap_or_default();
    let groups = Groups { link, balancer, service };
    for (side, rule) in rules(&groups) {
        let authorize = if side == "Egress" { "AuthorizeSecurityGroupEgress" } else { "AuthorizeSecurityGroupIngress" };
        match calls.change(ec2(authorize), rule).await {
            Err(Complaint::Aws { code, .. }) if code == "InvalidPermission.Duplicate" => {}
            made => drop(made?),
        }
    }
    Ok(groups)
}

/// The four rules of the one way: which side, and the rule.
pub(super) fn rules(groups: &Groups) -> [(&'static str, Value); 4] {
    let Groups { link, balancer, service } = groups;
    let rule = |of: &str, port: u16, other: &str| {
        let other = json!([{ "GroupId": other }]);
        let permission = json!([{ "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": other }]);
        json!({ "GroupId": of, "IpPermissions": permission })
    };
    [
        ("Egress", rule(link, LISTENER_PORT, balancer)),
        ("Ingress", rule(balancer, LISTENER_PORT, link)),
        ("Egress", rule(balancer, PORT, service)),
        ("Ingress", rule(service, PORT, balancer)),
    ]
}

/// Where the private address of a VPC is served, if it is.
pub(super) async fn served(server: &Server, vpc: &str) -> Result<Option<SocketAddr>, Complaint> {
    let told = server.status().await?;
    let realms = told["realms"].as_array().into_iter().flatten();
    let mut attachments = realms.flat_map(|realm| realm["attachments"].as_array().into_iter().flatten());
    let found = attachments.find(|one| one["vpc"] == vpc && one["private_ip"] == ADDRESS.to_string());
    Ok(found.and_then(|one| one["host"].as_str()?.parse().ok()))
}

async fn attach(
    server: &Server,
    (vpc, group): (&str, &str),
    to: SocketAddr,
    undo: &mut Vec<Undo>,
) -> Result<(), Complaint> {
    let known = served(server, vpc).await?;
    if known == Some(to) {
        return Ok(());
    }
    let strange = |what: &str| Complaint::System(format!("{what} is not what AWS calls one"));
    let wish = AttachWish {
        realm: server.realm().clone(),
        private_ip: topology::resource::attachment::Served::Address(ADDRESS.into()),
        port: Some(PORT),
        host: to,
        vpc: Some(vpc.parse().map_err(|_| strange(vpc))?),
        security_groups: vec![group.parse().map_err(|_| strange(group))?],
    };
    server.attach(&wish).await?;
    if let Some(host) = known {
        undo.push(Undo::Attach(Box::new(AttachWish { host, ..wish })));
    }
    Ok(())
}

/// What the probes ask for, and which answers are well.
fn health(wish: &Wish) -> (&str, &'static str) {
    wish.health.as_deref().map_or(("/", "200-499"), |path| (path, "200"))
}

/// A load balancer or a target group by its name: its ARN.
pub(super) async fn arn_of(calls: &Calls, name: &str, of: Named) -> Result<Option<String>, Complaint> {
    let (operation, member) = match of {
        Named::LoadBalancer => ("DescribeLoadBalancers", "LoadBalancerArn"),
        Named::TargetGroup => ("DescribeTargetGroups", "TargetGroupArn"),
    };
    let found = calls.find(elb(operation), json!({ "Names": [name] })).await?;
    found.map(|found| found.text(member)).transpose()
}

/// What is looked for by a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    LoadBalancer,
    TargetGroup,
}

async fn target_group(
    calls: &mut Calls,
    (vpc, name): (&str, &str),
    wish: &Wish,
    undo: &mut Vec<Undo>,
) -> Result<String, Complaint> {
    let (path, codes) = health(wish);
    let check = |arn: &str, path: &str, codes: &str| json!({ "TargetGroupArn": arn, "HealthCheckPath": path, "Matcher": { "HttpCode": codes } });
    let arn = match calls.find(elb("DescribeTargetGroups"), json!({ "Names": [name] })).await? {
        Some(found) => {
            let arn = found.text("TargetGroupArn")?;
            let (old_path, old_codes) = (found.text("HealthCheckPath")?, found.text("HttpCode")?);
            if (old_path.as_str(), old_codes.as_str()) != (path, codes) {
                calls.change(elb("ModifyTargetGroup"), check(&arn, path, codes)).await?;
                undo.push(Undo::Call(elb("ModifyTargetGroup"), check(&arn, &old_path, &old_codes)));
            }
            arn
        }
        None => {
            let input = json!({
                "Name": name, "Protocol": "HTTP", "Port": PORT, "VpcId": vpc, "TargetType": "ip",
                "HealthCheckPath": path, "Matcher": { "HttpCode": codes }, "HealthCheckIntervalSeconds": 5,
                "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2,
            });
            calls.change(elb("CreateTargetGroup"), input).await?.text("TargetGroupArn")?
        }
    };
    let health = calls.read(elb("DescribeTargetHealth"), json!({ "TargetGroupArn": arn })).await?;
    if !health.all("Id").contains(&ADDRESS.to_string()) {
        let input = json!({ "TargetGroupArn": arn, "Targets": [{ "Id": ADDRESS, "Port": PORT }] });
        calls.change(elb("RegisterTargets"), input).await?;
    }
    Ok(arn)
}

async fn load_balancer(
    calls: &mut Calls,
    name: &str,
    (subnets, group): (&[String], &str),
) -> Result<String, Complaint> {
    if let Some(arn) = arn_of(calls, name, Named::LoadBalancer).await? {
        return Ok(arn);
    }
    let input = json!({
        "Name": name, "Type": "application", "Scheme": "internal", "Subnets": subnets, "SecurityGroups": [group],
    });
    calls.change(elb("CreateLoadBalancer"), input).await?.text("LoadBalancerArn")
}

async fn listener(calls: &mut Calls, balancer: &str, group: &str) -> Result<String, Complaint> {
    let found = calls.read(elb("DescribeListeners"), json!({ "LoadBalancerArn": balancer })).await?;
    if let Some(arn) = found.all("ListenerArn").into_iter().next() {
        return Ok(arn);
    }
    let forward = json!([{ "Type": "forward", "TargetGroupArn": group }]);
    let input =
        json!({ "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": LISTENER_PORT, "DefaultActions": forward });
    calls.change(elb("CreateListener"), input).await?.text("ListenerArn")
}

/// The id of the link of this name.
pub(super) async fn link_of(calls: &Calls, name: &str) -> Result<Option<String>, Complaint> {
    let links = calls.list("/v2/vpclinks").await?;
    let link = links.iter().find(|link| link["name"] == name && link["vpcLinkStatus"] != "DELETING");
    Ok(link.and_then(|link| link["vpcLinkId"].as_str()).map(str::to_owned))
}

async fn link(calls: &mut Calls, name: &str, (subnets, group): (&[String], &str)) -> Result<String, Complaint> {
    if let Some(id) = link_of(calls, name).await? {
        return Ok(id);
    }
    let input = json!({ "Name": name, "SubnetIds": subnets, "SecurityGroupIds": [group] });
    calls.change(v2("CreateVpcLink", Method::POST, "/v2/vpclinks"), input).await?.text("vpcLinkId")
}

/// Waits until the link and the load balancer carry traffic, and the service answers its probes.
pub(super) async fn ready(calls: &Calls, private: &Private, to: SocketAddr) -> Result<(), Complaint> {
    until(MADE_WITHIN, "the load balancer is active", async || {
        let input = json!({ "LoadBalancerArns": [private.load_balancer] });
        Ok(calls.read(elb("DescribeLoadBalancers"), input).await?.text("Code")? == "active")
    })
    .await?;
    until(MADE_WITHIN, "the link is available", async || {
        let input = json!({ "VpcLinkId": private.link });
        let link = calls.read(v2("GetVpcLink", Method::GET, "/v2/vpclinks/{VpcLinkId}"), input).await?;
        Ok(link.text("vpcLinkStatus")? == "AVAILABLE")
    })
    .await?;
    let mut why = String::new();
    let well = until(WELL_WITHIN, "the service is well", async || {
        let input = json!({ "TargetGroupArn": private.target_group });
        let health = calls.read(elb("DescribeTargetHealth"), input).await?;
        why = health.all("Description").join(", ");
        Ok(health.text("State")? == "healthy")
    })
    .await;
    well.map_err(|complaint| match complaint {
        Complaint::Refused(_) => Complaint::Refused(format!(
            "the service at {to} does not pass its health check: {why}; --health names its path"
        )),
        other => other,
    })
}

/// Looks until it is so.
pub(super) async fn until(
    within: Duration,
    what: &str,
    mut is_so: impl AsyncFnMut() -> Result<bool, Complaint>,
) -> Result<(), Complaint> {
    let began = std::time::Instant::now();
    while !is_so().await? {
        if began.elapsed() > within {
            return Err(Complaint::Refused(format!("it took more than {within:?} until {what}")));
        }
        tokio::time::sleep(EVERY).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let of = |host: &str| name(&host.parse().unwrap());
        let long = "a-very-long-name-of-a-service.in.a.long.domain.example.com";
        assert!(of(long).len() <= 32 && !of(long).contains('.'), "{}", of(long));
        assert_ne!(of("a.example.com"), of("a-example.com"));
        assert_eq!(of("a.example.com"), of("A.example.com"));
    }
}

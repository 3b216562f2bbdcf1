//! What the life of an instance means for traffic: whether it is a target, whether its address answers, and what is attached there.

use control::{AttachAt, AttachError, AttachRequest, DetachRequest};
use topology::id::InstanceId;
use topology::resource::attachment::{Served, ServedAt};
use topology::snapshot::balancer::TargetAt;

use crate::calls::{Calls, realm};

/// Two instances behind a load balancer.
const REGISTERED: &str = "POST / ec2

Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16
= vpc <vpcId>([^<]+)<
---
POST / ec2

Action=CreateSubnet&Version=2016-11-15&VpcId={vpc}&CidrBlock=10.0.1.0/24&AvailabilityZone=us-east-1a
= a <subnetId>([^<]+)<
---
POST / ec2

Action=CreateSubnet&Version=2016-11-15&VpcId={vpc}&CidrBlock=10.0.2.0/24&AvailabilityZone=us-east-1b
= b <subnetId>([^<]+)<
---
POST / ec2

Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=1&SubnetId={a}&PrivateIpAddress=10.0.1.20
= one <instanceId>([^<]+)<
---
POST / ec2

Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=1&SubnetId={b}&PrivateIpAddress=10.0.2.20
= two <instanceId>([^<]+)<
---
POST / elasticloadbalancing

Action=CreateTargetGroup&Version=2015-12-01&Name=orders&Protocol=HTTP&Port=8080&VpcId={vpc}
= tg <TargetGroupArn>([^<]+)<
---
POST / elasticloadbalancing

Action=CreateLoadBalancer&Version=2015-12-01&Name=shop&Subnets.member.1={a}&Subnets.member.2={b}&Scheme=internal
= alb <LoadBalancerArn>([^<]+)<
---
POST / elasticloadbalancing

Action=CreateListener&Version=2015-12-01&LoadBalancerArn={alb}&Protocol=HTTP&Port=80&DefaultActions.member.1.Type=forward&DefaultActions.member.1.TargetGroupArn={tg}
---
POST / elasticloadbalancing

Action=RegisterTargets&Version=2015-12-01&TargetGroupArn={tg}&Targets.member.1.Id={one}&Targets.member.2.Id={two}
";

fn told(action: &str) -> String {
    format!("POST / ec2\n\nAction={action}&Version=2016-11-15&InstanceId.1={{one}}\n---\n{LOOK}")
}

/// A call that changes something, so that the newest snapshot is told.
const LOOK: &str = "POST / ec2

Action=CreateVpc&Version=2016-11-15&CidrBlock=10.9.0.0/16
";

/// Where the targets are, and whether the first one's address is anyone's.
fn seen(calls: &Calls) -> (Vec<TargetAt>, bool) {
    let snapshot = calls.newest();
    let realm = snapshot.realms.first().unwrap();
    let group = &realm.balancers.groups[0];
    let places = group.targets.iter().map(|target| target.place).collect();
    (places, realm.fabric.interface_at(group.vpc, [10, 0, 1, 20].into()).is_some())
}

#[test]
fn an_instance_is_a_target_while_it_runs() {
    let mut calls = Calls::new();
    calls.run("registered", &format!("{REGISTERED}---\n{LOOK}")).unwrap();
    let (runs, stopped) = (TargetAt::Usable, TargetAt::InstanceNotRunning);
    assert_eq!(seen(&calls), (vec![runs, runs], true));
    for (action, first, is_there) in
        [("StopInstances", stopped, false), ("StartInstances", runs, true), ("TerminateInstances", stopped, false)]
    {
        calls.run(action, &told(action)).unwrap();
        assert_eq!(seen(&calls), (vec![first, runs], is_there), "{action}");
    }
}

#[test]
fn an_instance_is_attached_by_its_id_until_it_is_terminated() {
    let mut calls = Calls::new();
    calls.run("registered", REGISTERED).unwrap();
    let id: InstanceId = calls.name("one").parse().unwrap();
    let attach = AttachRequest {
        place: AttachAt::Address(Served::Instance(id), None),
        port: Some(8080),
        host: ServedAt::Host(([127, 0, 0, 1], 9000).into()),
        groups: Vec::new(),
        lease: false,
        agent: None,
    };
    let detach = DetachRequest { address: Served::Instance(id), port: Some(8080), vpc: None, agent: None };
    let attached = calls.control().attach(&realm(), &attach).unwrap();
    assert_eq!(attached.private_ip.octets(), [10, 0, 1, 20]);
    assert_eq!(calls.control().detach(&realm(), &detach).unwrap(), attached);
    assert!(calls.control().estate().realms[&realm()].network_interfaces.contains(&attached.interface));
    calls.control().attach(&realm(), &attach).unwrap();

    calls.run("terminated", &told("TerminateInstances")).unwrap();
    let estate = calls.control().estate().realms[&realm()].clone();
    assert!(estate.attachments.is_empty());
    assert!(!estate.network_interfaces.contains(&attached.interface));
    assert_eq!(calls.control().attach(&realm(), &attach), Err(AttachError::UnknownInstance(id)));
    assert_eq!(calls.control().detach(&realm(), &detach), Err(AttachError::UnknownInstance(id)));
}

//! What the store keeps: an estate with a resource of every kind is the same after the program was opened again.

use std::path::Path;

use control::store::Store;
use control::{AttachAt, AttachRequest, Control, DetachRequest, ListenRequest, Mint, Settings};
use topology::arn::{ElbArn, ElbResource};
use topology::estate::RealmEstate;
use topology::id::{SecurityGroupId, VpcId};
use topology::resource::attachment::{Served, ServedAt};
use topology::resource::load_balancer::BalancerKind;
use topology::resource::rest_api::IntegrationType;

use crate::agents::Agents;
use crate::calls::{Calls, commit, realm};

/// Tables that hold nothing.
fn empty_tables(estate: &RealmEstate) -> Vec<&'static str> {
    let mut empty = Vec::new();
    macro_rules! look {
        ($($field:ident: $key:ty => $value:ty,)*) => {
            $(if estate.$field.is_empty() {
                empty.push(stringify!($field));
            })*
        };
    }
    topology::for_each_table!(look);
    empty
}

fn lease() -> AttachRequest {
    AttachRequest {
        place: AttachAt::Address(Served::Address([10, 0, 1, 9].into()), None),
        port: Some(8080),
        host: ServedAt::Host(([127, 0, 0, 1], 9000).into()),
        groups: Vec::new(),
        lease: true,
        agent: None,
    }
}

/// Kinds that the script does not have, because the version whose rows are kept beside it did not.
const NEWER: &str = "POST / ec2

Action=CreateFlowLogs&Version=2016-11-15&ResourceId.1={vpc}&ResourceType=VPC&TrafficType=ALL
&LogDestinationType=s3&LogDestination=arn:aws:s3:::flows
---
POST / ec2

Action=CreateVpc&Version=2016-11-15&CidrBlock=172.20.0.0/16
= peer <vpcId>([^<]+)<
---
POST / ec2

Action=CreateVpcPeeringConnection&Version=2016-11-15&VpcId={vpc}&PeerVpcId={peer}
---
POST / ec2

Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=1&SubnetId={a}&UserData=IyEvYmluL3No
= instance <instanceId>([^<]+)<
---
POST / elasticloadbalancing

Action=CreateTargetGroup&Version=2015-12-01&Name=of-instances&Protocol=HTTP&Port=8080&VpcId={vpc}
= instances <TargetGroupArn>([^<]+)<
---
POST / elasticloadbalancing

Action=RegisterTargets&Version=2015-12-01&TargetGroupArn={instances}&Targets.member.1.Id={instance}
---
POST / elasticloadbalancing

Action=CreateTrustStore&Version=2015-12-01&Name=clients
&CaCertificatesBundleS3Bucket=trust&CaCertificatesBundleS3Key=authority.pem
= store <TrustStoreArn>([^<]+)<
---
POST / elasticloadbalancing

Action=AddTrustStoreRevocations&Version=2015-12-01&TrustStoreArn={store}
&RevocationContents.member.1.S3Bucket=trust&RevocationContents.member.1.S3Key=revoked.pem
---
POST /clientcertificates apigateway
content-type: application/json

{\"description\": \"ours\", \"tags\": {\"team\": \"one\"}}
---
POST / acm
x-amz-target: CertificateManager.RequestCertificate
content-type: application/x-amz-json-1.1

{\"DomainName\": \"app.example.com\", \"SubjectAlternativeNames\": [\"*.app.example.com\"], \"IdempotencyToken\": \"one\"}
";

/// A control over the store in this file, with every kind of resource that there was on 2026-11-28.
pub(crate) fn filled(file: &Path) -> Calls {
    let mut calls = Calls::over(Store::open(file).unwrap());
    calls.run("estate", include_str!("../estate.http")).unwrap();
    calls.control().attach(&realm(), &AttachRequest { lease: false, ..lease() }).unwrap();
    let listener = listener(&mut calls);
    calls.control().listen(&realm(), &socket(&listener, "127.0.0.1:9001")).unwrap();
    calls
}

/// The ARN of a listener of an application load balancer.
pub(crate) fn listener(calls: &mut Calls) -> String {
    let estate = calls.control().estate();
    let estate = &estate.realms[&realm()];
    let found = estate.listeners.values().find_map(|listener| {
        let balancer = estate.load_balancers.get(&listener.load_balancer)?;
        let is_application = balancer.kind() == BalancerKind::Application;
        is_application.then(|| ElbResource::Listener(balancer.full_name(), listener.id))
    });
    ElbArn { realm: realm(), resource: found.unwrap() }.to_string()
}

fn socket(listener: &str, host: &str) -> ListenRequest {
    ListenRequest { listener: listener.to_owned(), host: host.parse().unwrap(), groups: Vec::new() }
}

#[test]
fn a_listener_has_one_socket_with_an_interface_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut calls = filled(&dir.path().join("state.db"));
    let arn = listener(&mut calls);
    let interfaces = |calls: &mut Calls| calls.control().estate().realms[&realm()].network_interfaces.len();
    let before = interfaces(&mut calls);
    let moved = calls.control().listen(&realm(), &socket(&arn, "127.0.0.1:9002")).unwrap();
    assert_eq!(moved.replaced, Some("127.0.0.1:9001".parse().unwrap()));
    assert_eq!(interfaces(&mut calls), before);
    let refused = [
        (
            socket(&arn, "192.0.2.1:80"),
            "192.0.2.1:80 is no loopback address, and the listener's load balancer is internal",
        ),
        (socket("arn:aws:none", "127.0.0.1:9003"), "there is no listener arn:aws:none in this account"),
        (
            ListenRequest { groups: vec![SecurityGroupId::from_bits(1)], ..socket(&arn, "127.0.0.1:9003") },
            "there is no security group sg-00000000000000001 in that VPC",
        ),
    ];
    for (wish, text) in refused {
        let error = calls.control().listen(&realm(), &wish).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
    let closed = calls.control().unlisten(&realm(), &arn).unwrap();
    assert_eq!(closed.host, "127.0.0.1:9002".parse().unwrap());
    assert_eq!(interfaces(&mut calls), before - 1);
    assert_eq!(calls.control().unlisten(&realm(), &arn).unwrap_err().to_string(), "the listener has no socket");
}

#[test]
fn an_estate_with_every_kind_of_resource_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = filled(&file);
    calls.run("newer", NEWER).unwrap();
    let mut agents = Agents::of(calls);
    agents.enrolled("a");
    let mut calls = agents.calls;
    let before = calls.control().estate().clone();
    assert_eq!(empty_tables(&before.realms[&realm()]), Vec::<&str>::new(), "the script leaves these out");
    drop(calls);

    let after = Control::open(Store::open(&file).unwrap(), Settings::default(), Mint::new(8)).unwrap();
    assert_eq!(*after.estate(), before);
}

#[test]
fn revocation_lists_go_with_their_trust_store() {
    let mut calls = Calls::new();
    calls.run("newer", &format!("{}\n---\n{NEWER}", include_str!("../estate.http"))).unwrap();
    let held = |calls: &mut Calls| calls.control().estate().realms[&realm()].trust_store_revocations.len();
    assert_eq!(held(&mut calls), 1);
    let delete = "POST / elasticloadbalancing\n\nAction=DeleteTrustStore&Version=2015-12-01&TrustStoreArn={store}";
    calls.run("delete", delete).unwrap();
    assert_eq!(held(&mut calls), 0);
}

#[test]
fn a_lease_ends_with_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = Calls::over(Store::open(&file).unwrap());
    calls.run("estate", include_str!("../estate.http")).unwrap();
    let before = calls.control().estate().clone();
    calls.control().attach(&realm(), &lease()).unwrap();
    drop(calls);

    let after = Control::open(Store::open(&file).unwrap(), Settings::default(), Mint::new(8)).unwrap();
    assert_eq!(*after.estate(), before);
}

/// A VPC with a second block, a subnet in it, and an interface there with two addresses.
const SECOND_BLOCK: &str = "POST / ec2

Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16
= vpc <vpcId>([^<]+)<
---
POST / ec2

Action=AssociateVpcCidrBlock&Version=2016-11-15&VpcId={vpc}&CidrBlock=10.9.0.0/16
---
POST / ec2

Action=CreateSubnet&Version=2016-11-15&VpcId={vpc}&CidrBlock=10.9.1.0/24
= subnet <subnetId>([^<]+)<
---
POST / ec2

Action=CreateNetworkInterface&Version=2016-11-15&SubnetId={subnet}&PrivateIpAddress=10.9.1.10
&PrivateIpAddresses.1.PrivateIpAddress=10.9.1.20
= eni <networkInterfaceId>([^<]+)<
---
POST / ec2

Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1={eni}";

#[test]
fn a_secondary_address_in_a_secondary_block_is_attached_and_leads_there() {
    let mut calls = Calls::new();
    calls.run("second block", SECOND_BLOCK).unwrap();
    let address = [10, 9, 1, 20].into();
    let wish = AttachRequest { place: AttachAt::Address(Served::Address(address), None), ..lease() };
    let attached = calls.control().attach(&realm(), &wish).unwrap();
    let snapshot = calls.control().take_committed().unwrap().snapshot;
    assert_eq!(attached.interface.to_string(), calls.name("eni"), "the interface that has the address");
    let vpc: VpcId = calls.name("vpc").parse().unwrap();
    let fabric = &snapshot.realms.iter().find(|one| one.realm == realm()).unwrap().fabric;
    assert!(fabric.vpc_contains(vpc, address));
    assert_eq!(fabric.interface_at(vpc, address), fabric.interface_at(vpc, [10, 9, 1, 10].into()));
    assert!(fabric.interface_at(vpc, address).is_some());
    calls
        .control()
        .detach(
            &realm(),
            &DetachRequest { address: Served::Address(address), port: Some(8080), vpc: None, agent: None },
        )
        .unwrap();
}

/// What a store held before such templates were refused is served on, and refused when it would be deployed anew.
#[test]
fn a_template_of_an_old_store_is_refused_when_it_is_deployed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = Calls::over(Store::open(&file).unwrap());
    let steps = include_str!("../cases/apigateway/CreateDeployment/a_deployment_is_made.http");
    let (steps, _) = steps.split_once("\n===\n").unwrap();
    calls.run("as it is", steps).unwrap();
    let before = calls.control().estate().realms[&realm()].clone();
    drop(calls);

    let mut after = RealmEstate::clone(&before);
    let mut resource = after.resources.values().find(|resource| !resource.methods.is_empty()).unwrap().as_ref().clone();
    let method = resource.methods.values_mut().next().unwrap();
    let integration = method.integration.as_mut().unwrap();
    integration.kind = IntegrationType::Mock;
    integration.request_templates = [("text/plain".to_owned(), "a #stop() $x.wait()".into())].into();
    let api = resource.api;
    after.resources.insert((api, resource.id), resource);
    commit(&mut Store::open(&file).unwrap(), &realm(), (&before, &after));

    let mut calls = Calls::over(Store::open(&file).unwrap());
    let deploy = format!("POST /restapis/{api}/deployments apigateway\ncontent-type: application/json\n\n{{}}");
    let answer = calls.run("deploy", &deploy).unwrap();
    assert!(answer.starts_with("400\n"), "{answer}");
    let expected = "Tidegate does not serve the method $x.wait with 0 arguments in a mapping template \
                    (requestTemplates 'text/plain', line 1, column 14).";
    assert!(answer.contains("on resource at path '/") && answer.contains(expected), "{answer}");
}

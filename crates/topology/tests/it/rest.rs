//! REST APIs compiled: where integrations lead, what stages do with settings, variables and plans, how drafts differ, and what an
//! explanation says of keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use topology::compile::compile;
use topology::id::*;
use topology::reach::explain;
use topology::reason::Reason;
use topology::resource::rest_api::{
    ApiKeySource, EndpointType, Integration, IntegrationType, Method, MethodAuthorization, PassthroughBehavior,
    Resource, ResponseTransferMode, RestApi, RestConnection,
};
use topology::resource::rest_stage::{FrozenRest, LoggingLevel, MethodSettings, RestDeployment, RestStage};
use topology::resource::usage_plan::{ApiKey, PlanStage, PlanThrottle, UsagePlan, UsagePlanKey};
use topology::snapshot::gateway::{ApiKind, Connection, Stage};
use topology::snapshot::{RealmSnapshot, Snapshot};
use topology::time::Moment;
use topology::trace::{Hop, HopId, HopKind, RequestId, Trace};

use crate::world::{World, realm};

fn api() -> ApiId {
    ApiId::from_bits(900)
}

fn method(integration: Integration) -> Method {
    Method {
        authorization: MethodAuthorization::None,
        api_key_required: false,
        operation_name: None,
        request_parameters: BTreeMap::new(),
        request_models: BTreeMap::new(),
        request_validator: None,
        responses: BTreeMap::new(),
        integration: Some(integration),
    }
}

fn integration(world: &World, uri: &str, target: Option<String>) -> Integration {
    Integration {
        kind: IntegrationType::HttpProxy,
        http_method: Some("ANY".into()),
        uri: uri.into(),
        connection: RestConnection::VpcLink { id: world.link().to_string(), target },
        request_parameters: BTreeMap::new(),
        request_templates: BTreeMap::new(),
        passthrough_behavior: PassthroughBehavior::default(),
        cache_namespace: String::new(),
        cache_key_parameters: Vec::new(),
        content_handling: None,
        timeout_ms: 29_000,
        insecure_skip_verification: None,
        response_transfer_mode: ResponseTransferMode::default(),
        responses: BTreeMap::new(),
    }
}

fn balancer_arn(world: &World) -> String {
    format!("arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/web/{}", world.balancer())
}

/// `GET /` and `ANY /pets/{id}` with this integration, deployed to the stage `prod`.
fn put(world: &mut World, integration: &Integration, edit: impl FnOnce(&mut RestStage)) {
    let root = ResourceId::root_from_bits(1);
    let below = |id, above, part: &str, methods| Resource {
        id: ResourceId::from_bits(id),
        api: api(),
        below: Some((above, part.parse().unwrap())),
        methods,
    };
    let any = [("ANY".parse().unwrap(), method(integration.clone()))];
    let get = [("GET".parse().unwrap(), method(integration.clone()))];
    let resources = [
        Resource { id: root, api: api(), below: None, methods: get.into() },
        below(1, root, "pets", BTreeMap::new()),
        below(2, ResourceId::from_bits(1), "{id}", any.into()),
    ];
    for resource in &resources {
        world.estate.resources.insert((api(), resource.id), resource.clone());
    }
    let frozen = FrozenRest {
        disable_execute_api_endpoint: false,
        api_key_source: ApiKeySource::Header,
        binary_media_types: Vec::new(),
        minimum_compression_size: None,
        policy: None,
        resources: resources.into_iter().map(Arc::new).collect(),
        models: Vec::new(),
        validators: Vec::new(),
        authorizers: Vec::new(),
        gateway_responses: Vec::new(),
    };
    let rest = RestApi {
        id: api(),
        name: "rest".into(),
        description: None,
        version: None,
        root,
        api_key_source: ApiKeySource::Header,
        binary_media_types: Vec::new(),
        minimum_compression_size: None,
        policy: None,
        endpoint_type: EndpointType::Regional,
        ip_address_type: "ipv4".into(),
        disable_execute_api_endpoint: false,
        created: Moment(0),
        tags: BTreeMap::new(),
    };
    world.estate.rest_apis.insert(api(), rest);
    let id = DeploymentId::from_bits(900);
    let deployment = RestDeployment { id, api: api(), created: Moment(0), description: None, frozen };
    world.estate.rest_deployments.insert(id, deployment);
    let mut stage = RestStage {
        api: api(),
        name: "prod".parse().unwrap(),
        deployment: id,
        description: None,
        variables: BTreeMap::new(),
        method_settings: BTreeMap::new(),
        access_log: None,
        canary: None,
        tracing: false,
        documentation_version: None,
        client_certificate: None,
        created: Moment(0),
        updated: Moment(0),
        tags: BTreeMap::new(),
    };
    edit(&mut stage);
    world.estate.rest_stages.insert((api(), "prod".parse().unwrap()), stage);
}

/// A REST API that leads to the listener of the world's last chain.
pub(crate) fn put_private(world: &mut World) {
    let integration = integration(world, "http://orders.internal/", Some(world.listener_arn()));
    put(world, &integration, |_| {});
}

fn compiled(world: &World) -> RealmSnapshot {
    compile(&realm(), &world.estate)
}

fn stage(snapshot: &RealmSnapshot) -> &Stage {
    let found = snapshot.gateway.apis.iter().find(|found| found.id == api()).unwrap();
    assert_eq!(found.kind, ApiKind::Rest);
    found.stage("prod").unwrap()
}

#[test]
fn connections_table() {
    let world = World::open();
    let listener = world.listener_arn();
    let balancer = balancer_arn(&world);
    let network = balancer.replace("/app/", "/net/");
    let elsewhere = balancer.replace("us-east-1", "eu-west-1");
    let rows = [
        ("http://a.example/", Some(&balancer), None),
        ("http://a.example:80/{id}", Some(&balancer), None),
        ("http://a.example:8080/", Some(&balancer), Some(Reason::ListenerNotFound)),
        ("https://a.example/", Some(&balancer), Some(Reason::ListenerNotFound)),
        ("https://a.example/", Some(&listener), None),
        ("http://a.example/", Some(&network), Some(Reason::ListenerNotFound)),
        ("http://a.example/", Some(&elsewhere), Some(Reason::IntegrationTargetNotListener)),
        ("http://a.example/", None, Some(Reason::LinkVersionMismatch)),
        ("no url", Some(&balancer), Some(Reason::IntegrationUnsupported)),
    ];
    for (uri, target, expected) in rows {
        let mut world = World::open();
        let integration = integration(&world, uri, target.cloned());
        put(&mut world, &integration, |_| {});
        let snapshot = compiled(&world);
        let deployed = stage(&snapshot).deployed.as_ref().unwrap();
        let got = match &deployed.integrations[0].connection {
            Connection::Private { server_name, .. } => {
                assert_eq!(server_name.is_some(), uri.starts_with("https"), "{uri}");
                None
            }
            Connection::Broken { reason, .. } => Some(*reason),
            other => panic!("{other:?}"),
        };
        assert_eq!(got, expected, "{uri} {target:?}");
    }
}

#[test]
fn stages_know_their_settings_by_method() {
    let mut world = World::open();
    let integration = integration(&world, "http://a.example/", Some(balancer_arn(&world)));
    put(&mut world, &integration, |stage| {
        let set = |rate: f64, level| MethodSettings {
            throttling_rate_limit: rate,
            logging_level: level,
            metrics: true,
            ..MethodSettings::default()
        };
        stage.method_settings.insert("*/*".into(), set(-1.0, None));
        stage.method_settings.insert("~1pets~1{id}/ANY".into(), set(5.0, Some(LoggingLevel::Info)));
    });
    let snapshot = compiled(&world);
    let stage = stage(&snapshot);
    let paths: Vec<_> =
        stage.deployed.as_ref().unwrap().rest.as_ref().unwrap().methods.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(paths, ["/", "/pets/{id}"]);
    let rates: Vec<_> = stage.throttles.iter().map(|t| t.map(|throttle| throttle.limit.rate())).collect();
    assert_eq!(rates, [None, Some(5.0)]);
    assert_eq!(stage.detailed_metrics, [true, true]);
    let levels: Vec<_> = stage.rest.as_ref().unwrap().logging.iter().map(|logging| logging.level).collect();
    assert_eq!(levels, [LoggingLevel::Off, LoggingLevel::Info]);
}

#[test]
fn a_draft_that_differs_is_told_in_words() {
    let mut world = World::open();
    let integration = integration(&world, "http://a.example/", Some(balancer_arn(&world)));
    put(&mut world, &integration, |_| {});
    assert_eq!(stage(&compiled(&world)).behind, Vec::<String>::new());
    let pets = ResourceId::from_bits(2);
    world.estate.resources.edit(&(api(), pets)).unwrap().methods.clear();
    world.estate.rest_apis.edit(&api()).unwrap().binary_media_types = vec!["*/*".into()];
    let snapshot = compiled(&world);
    let expected = [format!("resource /{{id}} ({pets}) changed"), "binaryMediaTypes changed".to_owned()];
    assert_eq!(stage(&snapshot).behind, expected);
}

fn plan(world: &mut World, at: u64, stages: &[&str]) -> UsagePlanId {
    let id = UsagePlanId::from_bits(at);
    let throttle = [("/pets/{id}/ANY".to_owned(), PlanThrottle { rate: 2.0, burst: 1 })].into();
    let stage = |name: &&str| ((api(), name.parse().unwrap()), PlanStage { throttle: BTreeMap::clone(&throttle) });
    let plan = UsagePlan {
        id,
        name: format!("plan {at}"),
        description: None,
        stages: stages.iter().map(stage).collect(),
        throttle: None,
        quota: None,
        product_code: None,
        tags: BTreeMap::new(),
    };
    world.estate.usage_plans.insert(id, plan);
    id
}

fn key(world: &mut World, at: u64, enabled: bool) -> ApiKeyId {
    let id = ApiKeyId::from_bits(at);
    let key = ApiKey {
        id,
        value: format!("the-value-of-key-{at}"),
        name: None,
        description: None,
        enabled,
        customer_id: None,
        stage_keys: Vec::new(),
        created: Moment(0),
        updated: Moment(0),
        tags: BTreeMap::new(),
    };
    world.estate.api_keys.insert(id, key);
    id
}

fn refused(snapshot: &Snapshot, key: ApiKeyId) -> Vec<String> {
    let hops = vec![Hop::stop(HopKind::ApiKey, HopId::ApiKey(key), Reason::ApiKeyInvalid, 1)];
    let trace = Trace {
        request_id: RequestId::from_bits(7),
        revision: 1,
        started_unix_micros: 0,
        api: Some(api()),
        stage: "prod".into(),
        status: 403,
        reason: Some(Reason::ApiKeyInvalid),
        method: "GET".into(),
        path: "/prod".into(),
        forwarded_path: String::new(),
        host: String::new(),
        hops,
        details: Vec::new(),
        hints: Vec::new(),
    };
    let explained = explain(snapshot, &trace);
    assert!(explained.hops[0].detail.contains("does not open this stage"), "{:?}", explained.hops);
    explained.fix
}

#[test]
fn keys_are_known_by_their_plans_and_refused_ones_are_told_what_opens_the_stage() {
    let mut world = World::open();
    let integration = integration(&world, "http://a.example/", Some(balancer_arn(&world)));
    put(&mut world, &integration, |_| {});
    let here = plan(&mut world, 1, &["prod"]);
    let elsewhere = plan(&mut world, 2, &["dev"]);
    let (member, stranger, disabled) = (key(&mut world, 1, true), key(&mut world, 2, true), key(&mut world, 3, false));
    for (plan, key) in [(here, member), (elsewhere, stranger), (here, disabled)] {
        world.estate.usage_plan_keys.insert((plan, key), UsagePlanKey { plan, key, added: Moment(0) });
    }
    let snapshot = compiled(&world);
    let rest = stage(&snapshot).rest.as_ref().unwrap();
    assert_eq!(rest.plan_of_key.get(&member), Some(&0));
    assert_eq!(rest.plan_of_key.get(&stranger), None);
    let limits: Vec<_> = rest.plans[0].limits.iter().map(|limit| limit.map(|limit| limit.rate())).collect();
    assert_eq!(limits, [None, Some(2.0)]);
    assert!(!format!("{:?}", snapshot.gateway).contains("the-value-of"), "no log holds a key's value");
    let snapshot = Snapshot::new(1, vec![Arc::new(snapshot)]);
    let opens =
        format!("aws apigateway create-usage-plan-key --usage-plan-id {here} --key-type API_KEY --key-id {stranger}");
    assert_eq!(refused(&snapshot, stranger), [opens]);
    let enables = format!(
        "aws apigateway update-api-key --api-key {disabled} --patch-operations op=replace,path=/enabled,value=true"
    );
    assert_eq!(refused(&snapshot, disabled), [enables]);
}

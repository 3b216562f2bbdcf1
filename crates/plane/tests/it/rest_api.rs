//! A REST API in front of the chain of [`crate::estate`]: a tree of resources, one deployment and the stage `prod`. Tests change
//! what they are about.

use std::collections::BTreeMap;
use std::sync::Arc;

use plane::PlaneConfig;
use topology::arn::{BalancerKind, ElbArn, ElbResource, LoadBalancerName};
use topology::id::*;
use topology::resource::http_api::AccessLogSettings;
use topology::resource::rest_api::{
    ApiKeySource, EndpointType, GatewayResponse, GatewayResponseType, Integration, IntegrationResponse,
    IntegrationType, Method, MethodAuthorization, MethodName, MethodResponse, PassthroughBehavior, Resource,
    ResponseTransferMode, RestApi, RestConnection,
};
use topology::resource::rest_stage::{FrozenRest, MethodSettings, RestDeployment, RestStage};
use topology::time::Moment;

use crate::estate::{BALANCER, Chain, link};
use crate::scene::{Answer, Backend, Scene};

pub(crate) fn api() -> ApiId {
    ApiId::from_bits(8)
}

/// The host by which the API is invoked.
pub(crate) fn host() -> String {
    format!("{}.execute-api.us-east-1.amazonaws.com", api())
}

pub(crate) fn map<V: for<'v> From<&'v str>>(pairs: &[(&str, &str)]) -> BTreeMap<String, V> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), V::from(value))).collect()
}

/// The API as it is to be deployed, and its stage.
#[derive(Clone)]
pub(crate) struct Rest {
    pub(crate) frozen: FrozenRest,
    pub(crate) stage: RestStage,
    balancer: String,
}

impl Rest {
    /// Gives the stage an access log.
    pub(crate) fn log(&mut self, destination: &str, format: &str) {
        let (destination, format) = (destination.parse().unwrap(), format.parse().unwrap());
        self.stage.access_log = Some(AccessLogSettings { destination, format }.into());
    }

    /// An API without methods.
    pub(crate) fn new(chain: &Chain) -> Self {
        let name = LoadBalancerName { kind: BalancerKind::Application, name: "internal".into(), id: BALANCER };
        let arn = ElbArn { realm: chain.realm.clone(), resource: ElbResource::LoadBalancer(name) };
        let root = Resource { id: root(), api: api(), below: None, methods: BTreeMap::new() };
        let frozen = FrozenRest {
            disable_execute_api_endpoint: false,
            api_key_source: ApiKeySource::Header,
            binary_media_types: Vec::new(),
            minimum_compression_size: None,
            policy: None,
            resources: vec![Arc::new(root)],
            models: Vec::new(),
            validators: Vec::new(),
            authorizers: Vec::new(),
            gateway_responses: Vec::new(),
        };
        let stage = RestStage {
            api: api(),
            name: "prod".parse().unwrap(),
            deployment: DeploymentId::from_bits(81),
            description: None,
            variables: map(&[("color", "blue")]),
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
        Self { frozen, stage, balancer: arn.to_string() }
    }

    /// Adds a method to the resource of this path, which is made if it is not there, and changes it.
    pub(crate) fn method(&mut self, key: &str, edit: impl FnOnce(&mut Method)) {
        let (name, path) = key.split_once(' ').unwrap();
        let at = self.resource(path);
        let mut method = Method {
            authorization: MethodAuthorization::None,
            api_key_required: false,
            operation_name: None,
            request_parameters: BTreeMap::new(),
            request_models: BTreeMap::new(),
            request_validator: None,
            responses: [(200, MethodResponse::default())].into(),
            integration: Some(self.proxy("http://backend.internal/")),
        };
        edit(&mut method);
        let name: MethodName = name.parse().unwrap();
        Arc::make_mut(&mut self.frozen.resources[at]).methods.insert(name, method);
    }

    fn resource(&mut self, path: &str) -> usize {
        let mut at = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let below = Some((self.frozen.resources[at].id, part.parse().unwrap()));
            at = match self.frozen.resources.iter().position(|resource| resource.below == below) {
                Some(known) => known,
                None => {
                    let id = ResourceId::from_bits(self.frozen.resources.len() as u64);
                    self.frozen.resources.push(Arc::new(Resource { id, api: api(), below, methods: BTreeMap::new() }));
                    self.frozen.resources.len() - 1
                }
            };
        }
        at
    }

    /// An `HTTP_PROXY` integration through the link to the load balancer.
    pub(crate) fn proxy(&self, uri: &str) -> Integration {
        Integration {
            kind: IntegrationType::HttpProxy,
            http_method: Some("ANY".into()),
            uri: uri.into(),
            connection: RestConnection::VpcLink { id: link().to_string(), target: Some(self.balancer.clone()) },
            request_parameters: BTreeMap::new(),
            request_templates: BTreeMap::new(),
            passthrough_behavior: PassthroughBehavior::default(),
            cache_namespace: "cache".into(),
            cache_key_parameters: Vec::new(),
            content_handling: None,
            timeout_ms: 29_000,
            insecure_skip_verification: None,
            response_transfer_mode: ResponseTransferMode::default(),
            responses: BTreeMap::new(),
        }
    }

    /// An `HTTP` integration with one default response of 200.
    pub(crate) fn custom(&self, uri: &str) -> Integration {
        let responses = [(200, IntegrationResponse::default())].into();
        Integration { kind: IntegrationType::Http, responses, ..self.proxy(uri) }
    }

    /// A `MOCK` integration that says 200, with one default response of 200.
    pub(crate) fn mock(&self) -> Integration {
        Integration {
            kind: IntegrationType::Mock,
            http_method: None,
            uri: String::new(),
            connection: RestConnection::Internet,
            request_templates: map(&[("application/json", r#"{"statusCode": 200}"#)]),
            ..self.custom("")
        }
    }

    /// Customizes a gateway response.
    pub(crate) fn gateway_response(
        &mut self,
        kind: GatewayResponseType,
        status: Option<u16>,
        parameters: &[(&str, &str)],
        templates: &[(&str, &str)],
    ) {
        let (parameters, templates) = (map(parameters), map(templates));
        let response = GatewayResponse { api: api(), kind, status, parameters, templates };
        self.frozen.gateway_responses.push(Arc::new(response));
    }

    /// Settings of a method, or of all: `*/*`.
    pub(crate) fn settings(&mut self, key: &str, edit: impl FnOnce(&mut MethodSettings)) {
        let mut settings = MethodSettings::default();
        edit(&mut settings);
        self.stage.method_settings.insert(key.into(), settings);
    }

    /// Puts API, deployment and stage into the chain's estate.
    pub(crate) fn put(&self, chain: &mut Chain) {
        let resource = RestApi {
            id: api(),
            name: "rest".into(),
            description: None,
            version: None,
            root: root(),
            api_key_source: self.frozen.api_key_source,
            binary_media_types: self.frozen.binary_media_types.clone(),
            minimum_compression_size: self.frozen.minimum_compression_size,
            policy: self.frozen.policy.clone(),
            endpoint_type: EndpointType::Regional,
            ip_address_type: "ipv4".into(),
            disable_execute_api_endpoint: self.frozen.disable_execute_api_endpoint,
            created: Moment(0),
            tags: BTreeMap::new(),
        };
        chain.estate.rest_apis.insert(api(), resource);
        self.deploy(chain, self.stage.deployment);
        chain.estate.rest_stages.insert((api(), self.stage.name.clone()), self.stage.clone());
    }

    /// Puts what there is now into the estate, as a deployment of this id.
    pub(crate) fn deploy(&self, chain: &mut Chain, id: DeploymentId) {
        let frozen = self.frozen.clone();
        let deployment = RestDeployment { id, api: api(), created: Moment(0), description: None, frozen };
        chain.estate.rest_deployments.insert(id, deployment);
    }
}

fn root() -> ResourceId {
    ResourceId::root_from_bits(1)
}

/// Serves the API as `edit` leaves it.
pub(crate) async fn scene(backend: &Backend, edit: impl FnOnce(&mut Rest)) -> Scene {
    configured(PlaneConfig::default(), backend, |rest, _| edit(rest)).await
}

/// The same, with a configuration and the rest of the estate.
pub(crate) async fn configured(
    config: PlaneConfig,
    backend: &Backend,
    edit: impl FnOnce(&mut Rest, &mut Chain),
) -> Scene {
    Scene::configured(config, backend, |chain| {
        let mut rest = Rest::new(chain);
        edit(&mut rest, chain);
        rest.put(chain);
    })
    .await
}

/// A request with these extra lines, each with its line end, and perhaps a body after a blank one.
pub(crate) async fn send(scene: &Scene, request_line: &str, lines: &str) -> Answer {
    let host = host();
    scene.raw(&format!("{request_line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}\r\n")).await
}

pub(crate) async fn get(scene: &Scene, path: &str) -> Answer {
    send(scene, &format!("GET {path}"), "").await
}

/// A request with a JSON body.
pub(crate) async fn post(scene: &Scene, path: &str, lines: &str, body: impl AsRef<[u8]>) -> Answer {
    let (host, body) = (host(), body.as_ref());
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    scene.raw([format!("{head}{lines}\r\n").as_bytes(), body].concat()).await
}

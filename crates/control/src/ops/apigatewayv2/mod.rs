//! The operations of API Gateway V2 for HTTP APIs, one line each; what they do stands in the files beside.

mod api;
pub(crate) mod api_mapping;
mod authorizer;
mod deployment;
pub(crate) mod domain;
mod fault;
mod integration;
pub(crate) mod link;
mod openapi;
mod route;
mod routing_rule;
mod stage;
mod truststore;

use std::ops::RangeInclusive;

pub(crate) use self::openapi::read as read_document;

use topology::id::ApiId;
use wire::Fault;
use wire::apigatewayv2::*;

use crate::context::Context;
use crate::ops::gateway_common::{DESCRIPTION_CHARS, NAME_CHARS, check_length, seconds, tags};
use crate::ops::paging;

/// Answers with the fields of another shape that has the same ones.
macro_rules! reshape {
    ($value:expr => $to:ident { $($field:ident),* $(,)? }) => {{
        let value = $value;
        $to { $($field: value.$field.into()),* }
    }};
}

macro_rules! api {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            api_endpoint, api_gateway_managed, api_id, api_key_selection_expression, cors_configuration, created_date,
            description, disable_execute_api_endpoint, import_info, ip_address_type, name, protocol_type,
            route_selection_expression, tags, version, warnings,
        })
    };
}

macro_rules! route {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            api_gateway_managed, api_key_required, authorization_scopes, authorization_type, authorizer_id,
            operation_name, route_id, route_key, target,
        })
    };
}

macro_rules! integration {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            api_gateway_managed, connection_id, connection_type, description, integration_id, integration_method,
            integration_type, integration_uri, payload_format_version, request_parameters, response_parameters,
            timeout_in_millis, tls_config,
        })
    };
}

macro_rules! stage {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            access_log_settings, api_gateway_managed, auto_deploy, created_date, default_route_settings, deployment_id,
            description, last_deployment_status_message, last_updated_date, route_settings, stage_name,
            stage_variables, tags,
        })
    };
}

macro_rules! deployment {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            auto_deployed, created_date, deployment_id, deployment_status, deployment_status_message, description,
        })
    };
}

macro_rules! authorizer {
    ($value:expr => $to:ident) => {
        reshape!($value => $to { authorizer_id, authorizer_type, identity_source, jwt_configuration, name })
    };
}

macro_rules! link {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            created_date, name, security_group_ids, subnet_ids, tags, vpc_link_id, vpc_link_status,
            vpc_link_status_message, vpc_link_version,
        })
    };
}

macro_rules! domain {
    ($value:expr => $to:ident) => {
        reshape!($value => $to {
            api_mapping_selection_expression, domain_name, domain_name_arn, domain_name_configurations,
            mutual_tls_authentication, routing_mode, tags,
        })
    };
}

macro_rules! mapping {
    ($value:expr => $to:ident) => {
        reshape!($value => $to { api_id, api_mapping_id, api_mapping_key, stage })
    };
}

macro_rules! rule {
    ($value:expr => $to:ident) => {
        reshape!($value => $to { actions, conditions, priority, routing_rule_arn, routing_rule_id })
    };
}

macro_rules! listed {
    ($items:expr, $input:expr => $to:ident) => {{
        let (items, next_token) = page($items, $input.max_results.as_deref(), $input.next_token.as_deref())?;
        Ok($to { items: Some(items), next_token })
    }};
}

impl Service for Context<'_> {
    fn create_api(&mut self, input: CreateApiRequest) -> Result<CreateApiResponse, Fault> {
        api::create(self, input).map(|value| api!(value => CreateApiResponse))
    }

    fn get_api(&mut self, input: GetApiRequest) -> Result<GetApiResponse, Fault> {
        api::get(self, &input.api_id).map(|value| api!(value => GetApiResponse))
    }

    fn get_apis(&mut self, input: GetApisRequest) -> Result<GetApisResponse, Fault> {
        listed!(api::list(self), input => GetApisResponse)
    }

    fn update_api(&mut self, input: UpdateApiRequest) -> Result<UpdateApiResponse, Fault> {
        api::update(self, input).map(|value| api!(value => UpdateApiResponse))
    }

    fn delete_api(&mut self, input: DeleteApiRequest) -> Result<(), Fault> {
        api::delete(self, &input.api_id)
    }

    fn import_api(&mut self, input: ImportApiRequest) -> Result<ImportApiResponse, Fault> {
        openapi::import(self, input).map(|value| api!(value => ImportApiResponse))
    }

    fn reimport_api(&mut self, input: ReimportApiRequest) -> Result<ReimportApiResponse, Fault> {
        openapi::reimport(self, input).map(|value| api!(value => ReimportApiResponse))
    }

    fn export_api(&mut self, input: ExportApiRequest) -> Result<ExportApiResponse, Fault> {
        openapi::export(self, &input).map(|body| ExportApiResponse { body: Some(body) })
    }

    fn delete_cors_configuration(&mut self, input: DeleteCorsConfigurationRequest) -> Result<(), Fault> {
        api::delete_cors(self, &input.api_id)
    }

    fn create_route(&mut self, input: CreateRouteRequest) -> Result<CreateRouteResult, Fault> {
        route::create(self, input).map(|value| route!(value => CreateRouteResult))
    }

    fn get_route(&mut self, input: GetRouteRequest) -> Result<GetRouteResult, Fault> {
        route::get(self, &input.api_id, &input.route_id).map(|value| route!(value => GetRouteResult))
    }

    fn get_routes(&mut self, input: GetRoutesRequest) -> Result<GetRoutesResponse, Fault> {
        listed!(route::list(self, &input.api_id)?, input => GetRoutesResponse)
    }

    fn update_route(&mut self, input: UpdateRouteRequest) -> Result<UpdateRouteResult, Fault> {
        route::update(self, input).map(|value| route!(value => UpdateRouteResult))
    }

    fn delete_route(&mut self, input: DeleteRouteRequest) -> Result<(), Fault> {
        route::delete(self, &input.api_id, &input.route_id)
    }

    fn delete_route_request_parameter(&mut self, input: DeleteRouteRequestParameterRequest) -> Result<(), Fault> {
        route::delete_request_parameter(self, &input)
    }

    fn create_integration(&mut self, input: CreateIntegrationRequest) -> Result<CreateIntegrationResult, Fault> {
        integration::create(self, input).map(|value| integration!(value => CreateIntegrationResult))
    }

    fn get_integration(&mut self, input: GetIntegrationRequest) -> Result<GetIntegrationResult, Fault> {
        let value = integration::get(self, &input.api_id, &input.integration_id)?;
        Ok(integration!(value => GetIntegrationResult))
    }

    fn get_integrations(&mut self, input: GetIntegrationsRequest) -> Result<GetIntegrationsResponse, Fault> {
        listed!(integration::list(self, &input.api_id)?, input => GetIntegrationsResponse)
    }

    fn update_integration(&mut self, input: UpdateIntegrationRequest) -> Result<UpdateIntegrationResult, Fault> {
        integration::update(self, input).map(|value| integration!(value => UpdateIntegrationResult))
    }

    fn delete_integration(&mut self, input: DeleteIntegrationRequest) -> Result<(), Fault> {
        integration::delete(self, &input.api_id, &input.integration_id)
    }

    fn create_stage(&mut self, input: CreateStageRequest) -> Result<CreateStageResponse, Fault> {
        stage::create(self, input).map(|value| stage!(value => CreateStageResponse))
    }

    fn get_stage(&mut self, input: GetStageRequest) -> Result<GetStageResponse, Fault> {
        stage::get(self, &input.api_id, &input.stage_name).map(|value| stage!(value => GetStageResponse))
    }

    fn get_stages(&mut self, input: GetStagesRequest) -> Result<GetStagesResponse, Fault> {
        listed!(stage::list(self, &input.api_id)?, input => GetStagesResponse)
    }

    fn update_stage(&mut self, input: UpdateStageRequest) -> Result<UpdateStageResponse, Fault> {
        stage::update(self, input).map(|value| stage!(value => UpdateStageResponse))
    }

    fn delete_stage(&mut self, input: DeleteStageRequest) -> Result<(), Fault> {
        stage::delete(self, &input.api_id, &input.stage_name)
    }

    fn delete_access_log_settings(&mut self, input: DeleteAccessLogSettingsRequest) -> Result<(), Fault> {
        stage::delete_access_log(self, &input.api_id, &input.stage_name)
    }

    fn delete_route_settings(&mut self, input: DeleteRouteSettingsRequest) -> Result<(), Fault> {
        stage::delete_route_settings(self, &input)
    }

    fn reset_authorizers_cache(&mut self, input: ResetAuthorizersCacheRequest) -> Result<(), Fault> {
        // AWS forgets the answers of Lambda authorizers and nothing else (API reference, 2026-11). None is carried out here, so
        // an existing stage is all that there is to check; keys and tokens of issuers are not affected.
        stage::get(self, &input.api_id, &input.stage_name).map(|_| ())
    }

    fn create_deployment(&mut self, input: CreateDeploymentRequest) -> Result<CreateDeploymentResponse, Fault> {
        deployment::create(self, input).map(|value| deployment!(value => CreateDeploymentResponse))
    }

    fn get_deployment(&mut self, input: GetDeploymentRequest) -> Result<GetDeploymentResponse, Fault> {
        let value = deployment::get(self, &input.api_id, &input.deployment_id)?;
        Ok(deployment!(value => GetDeploymentResponse))
    }

    fn get_deployments(&mut self, input: GetDeploymentsRequest) -> Result<GetDeploymentsResponse, Fault> {
        listed!(deployment::list(self, &input.api_id)?, input => GetDeploymentsResponse)
    }

    fn update_deployment(&mut self, input: UpdateDeploymentRequest) -> Result<UpdateDeploymentResponse, Fault> {
        deployment::update(self, input).map(|value| deployment!(value => UpdateDeploymentResponse))
    }

    fn delete_deployment(&mut self, input: DeleteDeploymentRequest) -> Result<(), Fault> {
        deployment::delete(self, &input.api_id, &input.deployment_id)
    }

    fn create_authorizer(&mut self, input: CreateAuthorizerRequest) -> Result<CreateAuthorizerResponse, Fault> {
        authorizer::create(self, input).map(|value| authorizer!(value => CreateAuthorizerResponse))
    }

    fn get_authorizer(&mut self, input: GetAuthorizerRequest) -> Result<GetAuthorizerResponse, Fault> {
        let value = authorizer::get(self, &input.api_id, &input.authorizer_id)?;
        Ok(authorizer!(value => GetAuthorizerResponse))
    }

    fn get_authorizers(&mut self, input: GetAuthorizersRequest) -> Result<GetAuthorizersResponse, Fault> {
        listed!(authorizer::list(self, &input.api_id)?, input => GetAuthorizersResponse)
    }

    fn update_authorizer(&mut self, input: UpdateAuthorizerRequest) -> Result<UpdateAuthorizerResponse, Fault> {
        authorizer::update(self, input).map(|value| authorizer!(value => UpdateAuthorizerResponse))
    }

    fn delete_authorizer(&mut self, input: DeleteAuthorizerRequest) -> Result<(), Fault> {
        authorizer::delete(self, &input.api_id, &input.authorizer_id)
    }

    fn create_vpc_link(&mut self, input: CreateVpcLinkRequest) -> Result<CreateVpcLinkResponse, Fault> {
        link::create(self, input).map(|value| link!(value => CreateVpcLinkResponse))
    }

    fn get_vpc_link(&mut self, input: GetVpcLinkRequest) -> Result<GetVpcLinkResponse, Fault> {
        link::get(self, &input.vpc_link_id).map(|value| link!(value => GetVpcLinkResponse))
    }

    fn get_vpc_links(&mut self, input: GetVpcLinksRequest) -> Result<GetVpcLinksResponse, Fault> {
        listed!(link::list(self), input => GetVpcLinksResponse)
    }

    fn update_vpc_link(&mut self, input: UpdateVpcLinkRequest) -> Result<UpdateVpcLinkResponse, Fault> {
        link::update(self, input).map(|value| link!(value => UpdateVpcLinkResponse))
    }

    fn delete_vpc_link(&mut self, input: DeleteVpcLinkRequest) -> Result<DeleteVpcLinkResponse, Fault> {
        link::delete(self, &input.vpc_link_id).map(|()| DeleteVpcLinkResponse {})
    }

    fn create_domain_name(&mut self, input: CreateDomainNameRequest) -> Result<CreateDomainNameResponse, Fault> {
        domain::create(self, input).map(|value| domain!(value => CreateDomainNameResponse))
    }

    fn get_domain_name(&mut self, input: GetDomainNameRequest) -> Result<GetDomainNameResponse, Fault> {
        domain::get(self, &input.domain_name).map(|value| domain!(value => GetDomainNameResponse))
    }

    fn get_domain_names(&mut self, input: GetDomainNamesRequest) -> Result<GetDomainNamesResponse, Fault> {
        listed!(domain::list(self), input => GetDomainNamesResponse)
    }

    fn update_domain_name(&mut self, input: UpdateDomainNameRequest) -> Result<UpdateDomainNameResponse, Fault> {
        domain::update(self, input).map(|value| domain!(value => UpdateDomainNameResponse))
    }

    fn delete_domain_name(&mut self, input: DeleteDomainNameRequest) -> Result<(), Fault> {
        domain::delete(self, &input.domain_name)
    }

    fn create_api_mapping(&mut self, input: CreateApiMappingRequest) -> Result<CreateApiMappingResponse, Fault> {
        api_mapping::create(self, input).map(|value| mapping!(value => CreateApiMappingResponse))
    }

    fn get_api_mapping(&mut self, input: GetApiMappingRequest) -> Result<GetApiMappingResponse, Fault> {
        let value = api_mapping::get(self, &input.domain_name, &input.api_mapping_id)?;
        Ok(mapping!(value => GetApiMappingResponse))
    }

    fn get_api_mappings(&mut self, input: GetApiMappingsRequest) -> Result<GetApiMappingsResponse, Fault> {
        listed!(api_mapping::list(self, &input.domain_name)?, input => GetApiMappingsResponse)
    }

    fn update_api_mapping(&mut self, input: UpdateApiMappingRequest) -> Result<UpdateApiMappingResponse, Fault> {
        api_mapping::update(self, input).map(|value| mapping!(value => UpdateApiMappingResponse))
    }

    fn delete_api_mapping(&mut self, input: DeleteApiMappingRequest) -> Result<(), Fault> {
        api_mapping::delete(self, &input.domain_name, &input.api_mapping_id)
    }

    fn create_routing_rule(&mut self, input: CreateRoutingRuleRequest) -> Result<CreateRoutingRuleResponse, Fault> {
        let CreateRoutingRuleRequest { actions, conditions, domain_name: domain, priority } = input;
        let wanted = routing_rule::Wanted { domain, priority, conditions, actions };
        routing_rule::create(self, wanted).map(|value| rule!(value => CreateRoutingRuleResponse))
    }

    fn put_routing_rule(&mut self, input: PutRoutingRuleRequest) -> Result<PutRoutingRuleResponse, Fault> {
        let PutRoutingRuleRequest { actions, conditions, domain_name: domain, priority, routing_rule_id } = input;
        let wanted = routing_rule::Wanted { domain, priority, conditions, actions };
        let value = routing_rule::replace(self, &routing_rule_id, wanted)?;
        Ok(rule!(value => PutRoutingRuleResponse))
    }

    fn get_routing_rule(&mut self, input: GetRoutingRuleRequest) -> Result<GetRoutingRuleResponse, Fault> {
        let value = routing_rule::get(self, &input.domain_name, &input.routing_rule_id)?;
        Ok(rule!(value => GetRoutingRuleResponse))
    }

    fn list_routing_rules(&mut self, input: ListRoutingRulesRequest) -> Result<ListRoutingRulesResponse, Fault> {
        let rules = routing_rule::list(self, &input.domain_name)?;
        let size = input.max_results.map(|size| size.to_string());
        let (rules, next_token) = page(rules, size.as_deref(), input.next_token.as_deref())?;
        Ok(ListRoutingRulesResponse { routing_rules: Some(rules), next_token })
    }

    fn delete_routing_rule(&mut self, input: DeleteRoutingRuleRequest) -> Result<(), Fault> {
        routing_rule::delete(self, &input.domain_name, &input.routing_rule_id)
    }

    fn get_tags(&mut self, input: GetTagsRequest) -> Result<GetTagsResponse, Fault> {
        tags::get(self, &input.resource_arn).map(|tags| GetTagsResponse { tags: Some(tags) })
    }

    fn tag_resource(&mut self, input: TagResourceRequest) -> Result<TagResourceResponse, Fault> {
        tags::add(self, &input.resource_arn, input.tags.unwrap_or_default()).map(|()| TagResourceResponse {})
    }

    fn untag_resource(&mut self, input: UntagResourceRequest) -> Result<(), Fault> {
        tags::remove(self, &input.resource_arn, &input.tag_keys)
    }
}

/// Lengths that the model names but does not bound. An update with an empty version or description takes it away.
const VERSION_CHARS: RangeInclusive<usize> = 0..=64;

/// An API that exists.
fn known_api(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    let id = api.parse().ok().filter(|id| context.estate().apis.contains(id));
    id.ok_or_else(|| fault::not_found("API", api))
}

/// At most this many items on a page when the caller names no number.
const PAGE_DEFAULT: usize = 100;

fn page<T>(items: Vec<T>, size: Option<&str>, token: Option<&str>) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = match size {
        None => PAGE_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=500).contains(size))
            .ok_or_else(|| fault::bad_request("Invalid value for MaxResults"))?,
    };
    paging::page(items, Some(size), token).map_err(|paging::BadToken| fault::bad_request("Invalid NextToken"))
}

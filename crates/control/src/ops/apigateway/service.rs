//! One line for each operation of REST APIs; what they do stands in the files beside.

use wire::Fault;
use wire::apigateway::*;

use super::{
    account, api_key, api_key_import, authorizer, base_path_mapping, client_certificate, deployment, documentation,
    domain, gateway_response, integration, integration_response, method, method_response, model, openapi, page,
    resource, rest_api, stage, test_invoke, usage, usage_plan, usage_plan_key, validator, vpc_link,
};
use crate::context::Context;
use crate::ops::gateway_common::tags;

impl Service for Context<'_> {
    fn create_rest_api(&mut self, input: CreateRestApiRequest) -> Result<RestApi, Fault> {
        rest_api::create(self, input)
    }

    fn get_rest_api(&mut self, input: GetRestApiRequest) -> Result<RestApi, Fault> {
        rest_api::get(self, &input.rest_api_id)
    }

    fn get_rest_apis(&mut self, input: GetRestApisRequest) -> Result<RestApis, Fault> {
        let (items, position) = page(rest_api::list(self), input.limit, input.position.as_deref())?;
        Ok(RestApis { items: Some(items), position })
    }

    fn update_rest_api(&mut self, input: UpdateRestApiRequest) -> Result<RestApi, Fault> {
        rest_api::update(self, input)
    }

    fn delete_rest_api(&mut self, input: DeleteRestApiRequest) -> Result<(), Fault> {
        rest_api::delete(self, &input.rest_api_id)
    }

    fn create_vpc_link(&mut self, input: CreateVpcLinkRequest) -> Result<VpcLink, Fault> {
        vpc_link::create(self, input)
    }

    fn get_vpc_link(&mut self, input: GetVpcLinkRequest) -> Result<VpcLink, Fault> {
        vpc_link::get(self, &input.vpc_link_id)
    }

    fn get_vpc_links(&mut self, input: GetVpcLinksRequest) -> Result<VpcLinks, Fault> {
        let (items, position) = page(vpc_link::list(self), input.limit, input.position.as_deref())?;
        Ok(VpcLinks { items: Some(items), position })
    }

    fn update_vpc_link(&mut self, input: UpdateVpcLinkRequest) -> Result<VpcLink, Fault> {
        vpc_link::update(self, input)
    }

    fn delete_vpc_link(&mut self, input: DeleteVpcLinkRequest) -> Result<(), Fault> {
        vpc_link::delete(self, &input.vpc_link_id)
    }

    fn create_domain_name(&mut self, input: CreateDomainNameRequest) -> Result<DomainName, Fault> {
        domain::create(self, input)
    }

    fn get_domain_name(&mut self, input: GetDomainNameRequest) -> Result<DomainName, Fault> {
        domain::get(self, &input.domain_name)
    }

    fn get_domain_names(&mut self, input: GetDomainNamesRequest) -> Result<DomainNames, Fault> {
        let (items, position) = page(domain::list(self), input.limit, input.position.as_deref())?;
        Ok(DomainNames { items: Some(items), position })
    }

    fn update_domain_name(&mut self, input: UpdateDomainNameRequest) -> Result<DomainName, Fault> {
        domain::update(self, input)
    }

    fn delete_domain_name(&mut self, input: DeleteDomainNameRequest) -> Result<(), Fault> {
        domain::delete(self, &input.domain_name)
    }

    fn create_base_path_mapping(&mut self, input: CreateBasePathMappingRequest) -> Result<BasePathMapping, Fault> {
        base_path_mapping::create(self, input)
    }

    fn get_base_path_mapping(&mut self, input: GetBasePathMappingRequest) -> Result<BasePathMapping, Fault> {
        base_path_mapping::get(self, &input.domain_name, &input.base_path)
    }

    fn get_base_path_mappings(&mut self, input: GetBasePathMappingsRequest) -> Result<BasePathMappings, Fault> {
        let mappings = base_path_mapping::list(self, &input.domain_name)?;
        let (items, position) = page(mappings, input.limit, input.position.as_deref())?;
        Ok(BasePathMappings { items: Some(items), position })
    }

    fn update_base_path_mapping(&mut self, input: UpdateBasePathMappingRequest) -> Result<BasePathMapping, Fault> {
        base_path_mapping::update(self, input)
    }

    fn delete_base_path_mapping(&mut self, input: DeleteBasePathMappingRequest) -> Result<(), Fault> {
        base_path_mapping::delete(self, &input.domain_name, &input.base_path)
    }

    fn import_rest_api(&mut self, input: ImportRestApiRequest) -> Result<RestApi, Fault> {
        openapi::import(self, input)
    }

    fn put_rest_api(&mut self, input: PutRestApiRequest) -> Result<RestApi, Fault> {
        openapi::put(self, input)
    }

    fn get_export(&mut self, input: GetExportRequest) -> Result<ExportResponse, Fault> {
        openapi::export(self, &input)
    }

    fn create_resource(&mut self, input: CreateResourceRequest) -> Result<Resource, Fault> {
        resource::create(self, input)
    }

    fn get_resource(&mut self, input: GetResourceRequest) -> Result<Resource, Fault> {
        resource::get(self, &input.rest_api_id, &input.resource_id, input.embed.as_deref())
    }

    fn get_resources(&mut self, input: GetResourcesRequest) -> Result<Resources, Fault> {
        let resources = resource::list(self, &input.rest_api_id, input.embed.as_deref())?;
        let (items, position) = page(resources, input.limit, input.position.as_deref())?;
        Ok(Resources { items: Some(items), position })
    }

    fn update_resource(&mut self, input: UpdateResourceRequest) -> Result<Resource, Fault> {
        resource::update(self, input)
    }

    fn delete_resource(&mut self, input: DeleteResourceRequest) -> Result<(), Fault> {
        resource::delete(self, &input.rest_api_id, &input.resource_id)
    }

    fn put_method(&mut self, input: PutMethodRequest) -> Result<Method, Fault> {
        method::put(self, input)
    }

    fn get_method(&mut self, input: GetMethodRequest) -> Result<Method, Fault> {
        method::get(self, &input.rest_api_id, (&input.resource_id, &input.http_method))
    }

    fn update_method(&mut self, input: UpdateMethodRequest) -> Result<Method, Fault> {
        method::update(self, input)
    }

    fn delete_method(&mut self, input: DeleteMethodRequest) -> Result<(), Fault> {
        method::delete(self, &input.rest_api_id, (&input.resource_id, &input.http_method))
    }

    fn put_method_response(&mut self, input: PutMethodResponseRequest) -> Result<MethodResponse, Fault> {
        method_response::put(self, input)
    }

    fn get_method_response(&mut self, input: GetMethodResponseRequest) -> Result<MethodResponse, Fault> {
        method_response::get(self, &input)
    }

    fn update_method_response(&mut self, input: UpdateMethodResponseRequest) -> Result<MethodResponse, Fault> {
        method_response::update(self, input)
    }

    fn delete_method_response(&mut self, input: DeleteMethodResponseRequest) -> Result<(), Fault> {
        method_response::delete(self, &input)
    }

    fn put_integration(&mut self, input: PutIntegrationRequest) -> Result<Integration, Fault> {
        integration::put(self, input)
    }

    fn get_integration(&mut self, input: GetIntegrationRequest) -> Result<Integration, Fault> {
        integration::get(self, &input.rest_api_id, (&input.resource_id, &input.http_method))
    }

    fn update_integration(&mut self, input: UpdateIntegrationRequest) -> Result<Integration, Fault> {
        integration::update(self, input)
    }

    fn delete_integration(&mut self, input: DeleteIntegrationRequest) -> Result<(), Fault> {
        integration::delete(self, &input.rest_api_id, (&input.resource_id, &input.http_method))
    }

    fn put_integration_response(&mut self, input: PutIntegrationResponseRequest) -> Result<IntegrationResponse, Fault> {
        integration_response::put(self, input)
    }

    fn get_integration_response(&mut self, input: GetIntegrationResponseRequest) -> Result<IntegrationResponse, Fault> {
        integration_response::get(self, &input)
    }

    fn update_integration_response(
        &mut self,
        input: UpdateIntegrationResponseRequest,
    ) -> Result<IntegrationResponse, Fault> {
        integration_response::update(self, input)
    }

    fn delete_integration_response(&mut self, input: DeleteIntegrationResponseRequest) -> Result<(), Fault> {
        integration_response::delete(self, &input)
    }

    fn create_deployment(&mut self, input: CreateDeploymentRequest) -> Result<Deployment, Fault> {
        deployment::create(self, input)
    }

    fn get_deployment(&mut self, input: GetDeploymentRequest) -> Result<Deployment, Fault> {
        deployment::get(self, &input.rest_api_id, &input.deployment_id, input.embed.as_deref())
    }

    fn get_deployments(&mut self, input: GetDeploymentsRequest) -> Result<Deployments, Fault> {
        let deployments = deployment::list(self, &input.rest_api_id)?;
        let (items, position) = page(deployments, input.limit, input.position.as_deref())?;
        Ok(Deployments { items: Some(items), position })
    }

    fn update_deployment(&mut self, input: UpdateDeploymentRequest) -> Result<Deployment, Fault> {
        deployment::update(self, input)
    }

    fn delete_deployment(&mut self, input: DeleteDeploymentRequest) -> Result<(), Fault> {
        deployment::delete(self, &input.rest_api_id, &input.deployment_id)
    }

    fn create_stage(&mut self, input: CreateStageRequest) -> Result<Stage, Fault> {
        stage::create(self, input)
    }

    fn get_stage(&mut self, input: GetStageRequest) -> Result<Stage, Fault> {
        stage::get(self, &input.rest_api_id, &input.stage_name)
    }

    fn get_stages(&mut self, input: GetStagesRequest) -> Result<Stages, Fault> {
        let item = stage::list(self, &input.rest_api_id, input.deployment_id.as_deref())?;
        Ok(Stages { item: Some(item) })
    }

    fn update_stage(&mut self, input: UpdateStageRequest) -> Result<Stage, Fault> {
        stage::update(self, input)
    }

    fn delete_stage(&mut self, input: DeleteStageRequest) -> Result<(), Fault> {
        stage::delete(self, &input.rest_api_id, &input.stage_name)
    }

    fn flush_stage_cache(&mut self, input: FlushStageCacheRequest) -> Result<(), Fault> {
        // No stage has a cache here, so an existing stage is all that there is to check.
        stage::known(self, &input.rest_api_id, &input.stage_name).map(|_| ())
    }

    fn flush_stage_authorizers_cache(&mut self, input: FlushStageAuthorizersCacheRequest) -> Result<(), Fault> {
        // AWS forgets the answers of Lambda authorizers; none is carried out here.
        stage::known(self, &input.rest_api_id, &input.stage_name).map(|_| ())
    }

    fn create_model(&mut self, input: CreateModelRequest) -> Result<Model, Fault> {
        model::create(self, input)
    }

    fn get_model(&mut self, input: GetModelRequest) -> Result<Model, Fault> {
        model::get(self, &input.rest_api_id, &input.model_name)
    }

    fn get_models(&mut self, input: GetModelsRequest) -> Result<Models, Fault> {
        let models = model::list(self, &input.rest_api_id)?;
        let (items, position) = page(models, input.limit, input.position.as_deref())?;
        Ok(Models { items: Some(items), position })
    }

    fn get_model_template(&mut self, input: GetModelTemplateRequest) -> Result<Template, Fault> {
        model::template(self, &input.rest_api_id, &input.model_name)
    }

    fn update_model(&mut self, input: UpdateModelRequest) -> Result<Model, Fault> {
        model::update(self, input)
    }

    fn delete_model(&mut self, input: DeleteModelRequest) -> Result<(), Fault> {
        model::delete(self, &input.rest_api_id, &input.model_name)
    }

    fn create_request_validator(&mut self, input: CreateRequestValidatorRequest) -> Result<RequestValidator, Fault> {
        validator::create(self, input)
    }

    fn get_request_validator(&mut self, input: GetRequestValidatorRequest) -> Result<RequestValidator, Fault> {
        validator::get(self, &input.rest_api_id, &input.request_validator_id)
    }

    fn get_request_validators(&mut self, input: GetRequestValidatorsRequest) -> Result<RequestValidators, Fault> {
        let validators = validator::list(self, &input.rest_api_id)?;
        let (items, position) = page(validators, input.limit, input.position.as_deref())?;
        Ok(RequestValidators { items: Some(items), position })
    }

    fn update_request_validator(&mut self, input: UpdateRequestValidatorRequest) -> Result<RequestValidator, Fault> {
        validator::update(self, input)
    }

    fn delete_request_validator(&mut self, input: DeleteRequestValidatorRequest) -> Result<(), Fault> {
        validator::delete(self, &input.rest_api_id, &input.request_validator_id)
    }

    fn put_gateway_response(&mut self, input: PutGatewayResponseRequest) -> Result<GatewayResponse, Fault> {
        gateway_response::put(self, input)
    }

    fn get_gateway_response(&mut self, input: GetGatewayResponseRequest) -> Result<GatewayResponse, Fault> {
        gateway_response::get(self, &input.rest_api_id, &input.response_type)
    }

    fn get_gateway_responses(&mut self, input: GetGatewayResponsesRequest) -> Result<GatewayResponses, Fault> {
        let responses = gateway_response::list(self, &input.rest_api_id)?;
        let (items, position) = page(responses, input.limit, input.position.as_deref())?;
        Ok(GatewayResponses { items: Some(items), position })
    }

    fn update_gateway_response(&mut self, input: UpdateGatewayResponseRequest) -> Result<GatewayResponse, Fault> {
        gateway_response::update(self, input)
    }

    fn delete_gateway_response(&mut self, input: DeleteGatewayResponseRequest) -> Result<(), Fault> {
        gateway_response::delete(self, &input.rest_api_id, &input.response_type)
    }

    fn create_documentation_part(&mut self, input: CreateDocumentationPartRequest) -> Result<DocumentationPart, Fault> {
        documentation::part::create(self, input)
    }

    fn get_documentation_part(&mut self, input: GetDocumentationPartRequest) -> Result<DocumentationPart, Fault> {
        documentation::part::get(self, &input.rest_api_id, &input.documentation_part_id)
    }

    fn get_documentation_parts(&mut self, input: GetDocumentationPartsRequest) -> Result<DocumentationParts, Fault> {
        let parts = documentation::part::list(self, &input)?;
        let (items, position) = page(parts, input.limit, input.position.as_deref())?;
        Ok(DocumentationParts { items: Some(items), position })
    }

    fn update_documentation_part(&mut self, input: UpdateDocumentationPartRequest) -> Result<DocumentationPart, Fault> {
        documentation::part::update(self, input)
    }

    fn delete_documentation_part(&mut self, input: DeleteDocumentationPartRequest) -> Result<(), Fault> {
        documentation::part::delete(self, &input.rest_api_id, &input.documentation_part_id)
    }

    fn import_documentation_parts(
        &mut self,
        input: ImportDocumentationPartsRequest,
    ) -> Result<DocumentationPartIds, Fault> {
        documentation::import::import(self, input)
    }

    fn create_documentation_version(
        &mut self,
        input: CreateDocumentationVersionRequest,
    ) -> Result<DocumentationVersion, Fault> {
        documentation::version::create(self, input)
    }

    fn get_documentation_version(
        &mut self,
        input: GetDocumentationVersionRequest,
    ) -> Result<DocumentationVersion, Fault> {
        documentation::version::get(self, input)
    }

    fn get_documentation_versions(
        &mut self,
        input: GetDocumentationVersionsRequest,
    ) -> Result<DocumentationVersions, Fault> {
        let versions = documentation::version::list(self, &input.rest_api_id)?;
        let (items, position) = page(versions, input.limit, input.position.as_deref())?;
        Ok(DocumentationVersions { items: Some(items), position })
    }

    fn update_documentation_version(
        &mut self,
        input: UpdateDocumentationVersionRequest,
    ) -> Result<DocumentationVersion, Fault> {
        documentation::version::update(self, input)
    }

    fn delete_documentation_version(&mut self, input: DeleteDocumentationVersionRequest) -> Result<(), Fault> {
        documentation::version::delete(self, input)
    }

    fn create_authorizer(&mut self, input: CreateAuthorizerRequest) -> Result<Authorizer, Fault> {
        authorizer::create(self, input)
    }

    fn get_authorizer(&mut self, input: GetAuthorizerRequest) -> Result<Authorizer, Fault> {
        authorizer::get(self, &input.rest_api_id, &input.authorizer_id)
    }

    fn get_authorizers(&mut self, input: GetAuthorizersRequest) -> Result<Authorizers, Fault> {
        let authorizers = authorizer::list(self, &input.rest_api_id)?;
        let (items, position) = page(authorizers, input.limit, input.position.as_deref())?;
        Ok(Authorizers { items: Some(items), position })
    }

    fn update_authorizer(&mut self, input: UpdateAuthorizerRequest) -> Result<Authorizer, Fault> {
        authorizer::update(self, input)
    }

    fn delete_authorizer(&mut self, input: DeleteAuthorizerRequest) -> Result<(), Fault> {
        authorizer::delete(self, &input.rest_api_id, &input.authorizer_id)
    }

    fn create_api_key(&mut self, input: CreateApiKeyRequest) -> Result<ApiKey, Fault> {
        api_key::create(self, input)
    }

    fn import_api_keys(&mut self, input: ImportApiKeysRequest) -> Result<ApiKeyIds, Fault> {
        api_key_import::import(self, input)
    }

    fn get_api_key(&mut self, input: GetApiKeyRequest) -> Result<ApiKey, Fault> {
        api_key::get(self, &input)
    }

    fn get_api_keys(&mut self, input: GetApiKeysRequest) -> Result<ApiKeys, Fault> {
        let keys = api_key::list(self, &input);
        let (items, position) = page(keys, input.limit, input.position.as_deref())?;
        Ok(ApiKeys { items: Some(items), position })
    }

    fn update_api_key(&mut self, input: UpdateApiKeyRequest) -> Result<ApiKey, Fault> {
        api_key::update(self, input)
    }

    fn delete_api_key(&mut self, input: DeleteApiKeyRequest) -> Result<(), Fault> {
        api_key::delete(self, &input.api_key)
    }

    fn generate_client_certificate(
        &mut self,
        input: GenerateClientCertificateRequest,
    ) -> Result<ClientCertificate, Fault> {
        client_certificate::generate(self, input)
    }

    fn get_client_certificate(&mut self, input: GetClientCertificateRequest) -> Result<ClientCertificate, Fault> {
        client_certificate::get(self, &input.client_certificate_id)
    }

    fn get_client_certificates(&mut self, input: GetClientCertificatesRequest) -> Result<ClientCertificates, Fault> {
        let known = client_certificate::list(self);
        let (items, position) = page(known, input.limit, input.position.as_deref())?;
        Ok(ClientCertificates { items: Some(items), position })
    }

    fn update_client_certificate(&mut self, input: UpdateClientCertificateRequest) -> Result<ClientCertificate, Fault> {
        client_certificate::update(self, input)
    }

    fn delete_client_certificate(&mut self, input: DeleteClientCertificateRequest) -> Result<(), Fault> {
        client_certificate::delete(self, &input.client_certificate_id)
    }

    fn create_usage_plan(&mut self, input: CreateUsagePlanRequest) -> Result<UsagePlan, Fault> {
        usage_plan::create(self, input)
    }

    fn get_usage_plan(&mut self, input: GetUsagePlanRequest) -> Result<UsagePlan, Fault> {
        usage_plan::get(self, &input.usage_plan_id)
    }

    fn get_usage_plans(&mut self, input: GetUsagePlansRequest) -> Result<UsagePlans, Fault> {
        let plans = usage_plan::list(self, input.key_id.as_deref());
        let (items, position) = page(plans, input.limit, input.position.as_deref())?;
        Ok(UsagePlans { items: Some(items), position })
    }

    fn update_usage_plan(&mut self, input: UpdateUsagePlanRequest) -> Result<UsagePlan, Fault> {
        usage_plan::update(self, input)
    }

    fn delete_usage_plan(&mut self, input: DeleteUsagePlanRequest) -> Result<(), Fault> {
        usage_plan::delete(self, &input.usage_plan_id)
    }

    fn create_usage_plan_key(&mut self, input: CreateUsagePlanKeyRequest) -> Result<UsagePlanKey, Fault> {
        usage_plan_key::create(self, input)
    }

    fn get_usage_plan_key(&mut self, input: GetUsagePlanKeyRequest) -> Result<UsagePlanKey, Fault> {
        usage_plan_key::get(self, &input.usage_plan_id, &input.key_id)
    }

    fn get_usage_plan_keys(&mut self, input: GetUsagePlanKeysRequest) -> Result<UsagePlanKeys, Fault> {
        let keys = usage_plan_key::list(self, &input.usage_plan_id, input.name_query.as_deref())?;
        let (items, position) = page(keys, input.limit, input.position.as_deref())?;
        Ok(UsagePlanKeys { items: Some(items), position })
    }

    fn delete_usage_plan_key(&mut self, input: DeleteUsagePlanKeyRequest) -> Result<(), Fault> {
        usage_plan_key::delete(self, &input.usage_plan_id, &input.key_id)
    }

    fn get_usage(&mut self, input: GetUsageRequest) -> Result<Usage, Fault> {
        usage::get(self, &input)
    }

    fn update_usage(&mut self, input: UpdateUsageRequest) -> Result<Usage, Fault> {
        usage::update(self, input)
    }

    fn get_account(&mut self, _: GetAccountRequest) -> Result<Account, Fault> {
        Ok(account::get(self))
    }

    fn update_account(&mut self, input: UpdateAccountRequest) -> Result<Account, Fault> {
        account::update(self, input)
    }

    fn test_invoke_method(&mut self, input: TestInvokeMethodRequest) -> Result<TestInvokeMethodResponse, Fault> {
        test_invoke::begin(self, input)
    }

    fn get_tags(&mut self, input: GetTagsRequest) -> Result<Tags, Fault> {
        tags::get(self, &input.resource_arn).map(|tags| Tags { tags: Some(tags) })
    }

    fn tag_resource(&mut self, input: TagResourceRequest) -> Result<(), Fault> {
        tags::add(self, &input.resource_arn, input.tags)
    }

    fn untag_resource(&mut self, input: UntagResourceRequest) -> Result<(), Fault> {
        tags::remove(self, &input.resource_arn, &input.tag_keys)
    }
}

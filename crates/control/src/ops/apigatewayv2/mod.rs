//! The operations of apigatewayv2, one line each; what they do stands in the files beside.

use wire::Fault;
use wire::apigatewayv2::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn create_api(&mut self, _input: CreateApiRequest) -> Result<CreateApiResponse, Fault> {
        Err(super::unimplemented("create_api"))
    }

    fn create_api_mapping(&mut self, _input: CreateApiMappingRequest) -> Result<CreateApiMappingResponse, Fault> {
        Err(super::unimplemented("create_api_mapping"))
    }

    fn create_authorizer(&mut self, _input: CreateAuthorizerRequest) -> Result<CreateAuthorizerResponse, Fault> {
        Err(super::unimplemented("create_authorizer"))
    }

    fn create_deployment(&mut self, _input: CreateDeploymentRequest) -> Result<CreateDeploymentResponse, Fault> {
        Err(super::unimplemented("create_deployment"))
    }

    fn create_domain_name(&mut self, _input: CreateDomainNameRequest) -> Result<CreateDomainNameResponse, Fault> {
        Err(super::unimplemented("create_domain_name"))
    }

    fn create_integration(&mut self, _input: CreateIntegrationRequest) -> Result<CreateIntegrationResult, Fault> {
        Err(super::unimplemented("create_integration"))
    }

    fn create_route(&mut self, _input: CreateRouteRequest) -> Result<CreateRouteResult, Fault> {
        Err(super::unimplemented("create_route"))
    }

    fn create_stage(&mut self, _input: CreateStageRequest) -> Result<CreateStageResponse, Fault> {
        Err(super::unimplemented("create_stage"))
    }

    fn create_vpc_link(&mut self, _input: CreateVpcLinkRequest) -> Result<CreateVpcLinkResponse, Fault> {
        Err(super::unimplemented("create_vpc_link"))
    }

    fn delete_access_log_settings(&mut self, _input: DeleteAccessLogSettingsRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_access_log_settings"))
    }

    fn delete_api(&mut self, _input: DeleteApiRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_api"))
    }

    fn delete_api_mapping(&mut self, _input: DeleteApiMappingRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_api_mapping"))
    }

    fn delete_authorizer(&mut self, _input: DeleteAuthorizerRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_authorizer"))
    }

    fn delete_cors_configuration(&mut self, _input: DeleteCorsConfigurationRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_cors_configuration"))
    }

    fn delete_deployment(&mut self, _input: DeleteDeploymentRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_deployment"))
    }

    fn delete_domain_name(&mut self, _input: DeleteDomainNameRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_domain_name"))
    }

    fn delete_integration(&mut self, _input: DeleteIntegrationRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_integration"))
    }

    fn delete_route(&mut self, _input: DeleteRouteRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_route"))
    }

    fn delete_route_request_parameter(&mut self, _input: DeleteRouteRequestParameterRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_route_request_parameter"))
    }

    fn delete_route_settings(&mut self, _input: DeleteRouteSettingsRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_route_settings"))
    }

    fn delete_stage(&mut self, _input: DeleteStageRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_stage"))
    }

    fn delete_vpc_link(&mut self, _input: DeleteVpcLinkRequest) -> Result<DeleteVpcLinkResponse, Fault> {
        Err(super::unimplemented("delete_vpc_link"))
    }

    fn get_api(&mut self, _input: GetApiRequest) -> Result<GetApiResponse, Fault> {
        Err(super::unimplemented("get_api"))
    }

    fn get_api_mapping(&mut self, _input: GetApiMappingRequest) -> Result<GetApiMappingResponse, Fault> {
        Err(super::unimplemented("get_api_mapping"))
    }

    fn get_api_mappings(&mut self, _input: GetApiMappingsRequest) -> Result<GetApiMappingsResponse, Fault> {
        Err(super::unimplemented("get_api_mappings"))
    }

    fn get_apis(&mut self, _input: GetApisRequest) -> Result<GetApisResponse, Fault> {
        Err(super::unimplemented("get_apis"))
    }

    fn get_authorizer(&mut self, _input: GetAuthorizerRequest) -> Result<GetAuthorizerResponse, Fault> {
        Err(super::unimplemented("get_authorizer"))
    }

    fn get_authorizers(&mut self, _input: GetAuthorizersRequest) -> Result<GetAuthorizersResponse, Fault> {
        Err(super::unimplemented("get_authorizers"))
    }

    fn get_deployment(&mut self, _input: GetDeploymentRequest) -> Result<GetDeploymentResponse, Fault> {
        Err(super::unimplemented("get_deployment"))
    }

    fn get_deployments(&mut self, _input: GetDeploymentsRequest) -> Result<GetDeploymentsResponse, Fault> {
        Err(super::unimplemented("get_deployments"))
    }

    fn get_domain_name(&mut self, _input: GetDomainNameRequest) -> Result<GetDomainNameResponse, Fault> {
        Err(super::unimplemented("get_domain_name"))
    }

    fn get_domain_names(&mut self, _input: GetDomainNamesRequest) -> Result<GetDomainNamesResponse, Fault> {
        Err(super::unimplemented("get_domain_names"))
    }

    fn get_integration(&mut self, _input: GetIntegrationRequest) -> Result<GetIntegrationResult, Fault> {
        Err(super::unimplemented("get_integration"))
    }

    fn get_integrations(&mut self, _input: GetIntegrationsRequest) -> Result<GetIntegrationsResponse, Fault> {
        Err(super::unimplemented("get_integrations"))
    }

    fn get_route(&mut self, _input: GetRouteRequest) -> Result<GetRouteResult, Fault> {
        Err(super::unimplemented("get_route"))
    }

    fn get_routes(&mut self, _input: GetRoutesRequest) -> Result<GetRoutesResponse, Fault> {
        Err(super::unimplemented("get_routes"))
    }

    fn get_stage(&mut self, _input: GetStageRequest) -> Result<GetStageResponse, Fault> {
        Err(super::unimplemented("get_stage"))
    }

    fn get_stages(&mut self, _input: GetStagesRequest) -> Result<GetStagesResponse, Fault> {
        Err(super::unimplemented("get_stages"))
    }

    fn get_tags(&mut self, _input: GetTagsRequest) -> Result<GetTagsResponse, Fault> {
        Err(super::unimplemented("get_tags"))
    }

    fn get_vpc_link(&mut self, _input: GetVpcLinkRequest) -> Result<GetVpcLinkResponse, Fault> {
        Err(super::unimplemented("get_vpc_link"))
    }

    fn get_vpc_links(&mut self, _input: GetVpcLinksRequest) -> Result<GetVpcLinksResponse, Fault> {
        Err(super::unimplemented("get_vpc_links"))
    }

    fn reset_authorizers_cache(&mut self, _input: ResetAuthorizersCacheRequest) -> Result<(), Fault> {
        Err(super::unimplemented("reset_authorizers_cache"))
    }

    fn tag_resource(&mut self, _input: TagResourceRequest) -> Result<TagResourceResponse, Fault> {
        Err(super::unimplemented("tag_resource"))
    }

    fn untag_resource(&mut self, _input: UntagResourceRequest) -> Result<(), Fault> {
        Err(super::unimplemented("untag_resource"))
    }

    fn update_api(&mut self, _input: UpdateApiRequest) -> Result<UpdateApiResponse, Fault> {
        Err(super::unimplemented("update_api"))
    }

    fn update_api_mapping(&mut self, _input: UpdateApiMappingRequest) -> Result<UpdateApiMappingResponse, Fault> {
        Err(super::unimplemented("update_api_mapping"))
    }

    fn update_authorizer(&mut self, _input: UpdateAuthorizerRequest) -> Result<UpdateAuthorizerResponse, Fault> {
        Err(super::unimplemented("update_authorizer"))
    }

    fn update_deployment(&mut self, _input: UpdateDeploymentRequest) -> Result<UpdateDeploymentResponse, Fault> {
        Err(super::unimplemented("update_deployment"))
    }

    fn update_domain_name(&mut self, _input: UpdateDomainNameRequest) -> Result<UpdateDomainNameResponse, Fault> {
        Err(super::unimplemented("update_domain_name"))
    }

    fn update_integration(&mut self, _input: UpdateIntegrationRequest) -> Result<UpdateIntegrationResult, Fault> {
        Err(super::unimplemented("update_integration"))
    }

    fn update_route(&mut self, _input: UpdateRouteRequest) -> Result<UpdateRouteResult, Fault> {
        Err(super::unimplemented("update_route"))
    }

    fn update_stage(&mut self, _input: UpdateStageRequest) -> Result<UpdateStageResponse, Fault> {
        Err(super::unimplemented("update_stage"))
    }

    fn update_vpc_link(&mut self, _input: UpdateVpcLinkRequest) -> Result<UpdateVpcLinkResponse, Fault> {
        Err(super::unimplemented("update_vpc_link"))
    }
}

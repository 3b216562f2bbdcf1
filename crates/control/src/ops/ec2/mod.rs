//! The operations of ec2, one line each; what they do stands in the files beside.

use wire::Fault;
use wire::ec2::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn allocate_address(&mut self, _input: AllocateAddressRequest) -> Result<AllocateAddressResult, Fault> {
        Err(super::unimplemented("allocate_address"))
    }

    fn associate_address(&mut self, _input: AssociateAddressRequest) -> Result<AssociateAddressResult, Fault> {
        Err(super::unimplemented("associate_address"))
    }

    fn associate_route_table(
        &mut self,
        _input: AssociateRouteTableRequest,
    ) -> Result<AssociateRouteTableResult, Fault> {
        Err(super::unimplemented("associate_route_table"))
    }

    fn attach_internet_gateway(&mut self, _input: AttachInternetGatewayRequest) -> Result<(), Fault> {
        Err(super::unimplemented("attach_internet_gateway"))
    }

    fn authorize_security_group_egress(
        &mut self,
        _input: AuthorizeSecurityGroupEgressRequest,
    ) -> Result<AuthorizeSecurityGroupEgressResult, Fault> {
        Err(super::unimplemented("authorize_security_group_egress"))
    }

    fn authorize_security_group_ingress(
        &mut self,
        _input: AuthorizeSecurityGroupIngressRequest,
    ) -> Result<AuthorizeSecurityGroupIngressResult, Fault> {
        Err(super::unimplemented("authorize_security_group_ingress"))
    }

    fn create_default_vpc(&mut self, _input: CreateDefaultVpcRequest) -> Result<CreateDefaultVpcResult, Fault> {
        Err(super::unimplemented("create_default_vpc"))
    }

    fn create_internet_gateway(
        &mut self,
        _input: CreateInternetGatewayRequest,
    ) -> Result<CreateInternetGatewayResult, Fault> {
        Err(super::unimplemented("create_internet_gateway"))
    }

    fn create_managed_prefix_list(
        &mut self,
        _input: CreateManagedPrefixListRequest,
    ) -> Result<CreateManagedPrefixListResult, Fault> {
        Err(super::unimplemented("create_managed_prefix_list"))
    }

    fn create_nat_gateway(&mut self, _input: CreateNatGatewayRequest) -> Result<CreateNatGatewayResult, Fault> {
        Err(super::unimplemented("create_nat_gateway"))
    }

    fn create_network_acl(&mut self, _input: CreateNetworkAclRequest) -> Result<CreateNetworkAclResult, Fault> {
        Err(super::unimplemented("create_network_acl"))
    }

    fn create_network_acl_entry(&mut self, _input: CreateNetworkAclEntryRequest) -> Result<(), Fault> {
        Err(super::unimplemented("create_network_acl_entry"))
    }

    fn create_network_interface(
        &mut self,
        _input: CreateNetworkInterfaceRequest,
    ) -> Result<CreateNetworkInterfaceResult, Fault> {
        Err(super::unimplemented("create_network_interface"))
    }

    fn create_route(&mut self, _input: CreateRouteRequest) -> Result<CreateRouteResult, Fault> {
        Err(super::unimplemented("create_route"))
    }

    fn create_route_table(&mut self, _input: CreateRouteTableRequest) -> Result<CreateRouteTableResult, Fault> {
        Err(super::unimplemented("create_route_table"))
    }

    fn create_security_group(
        &mut self,
        _input: CreateSecurityGroupRequest,
    ) -> Result<CreateSecurityGroupResult, Fault> {
        Err(super::unimplemented("create_security_group"))
    }

    fn create_subnet(&mut self, _input: CreateSubnetRequest) -> Result<CreateSubnetResult, Fault> {
        Err(super::unimplemented("create_subnet"))
    }

    fn create_tags(&mut self, _input: CreateTagsRequest) -> Result<(), Fault> {
        Err(super::unimplemented("create_tags"))
    }

    fn create_vpc(&mut self, _input: CreateVpcRequest) -> Result<CreateVpcResult, Fault> {
        Err(super::unimplemented("create_vpc"))
    }

    fn create_vpc_endpoint(&mut self, _input: CreateVpcEndpointRequest) -> Result<CreateVpcEndpointResult, Fault> {
        Err(super::unimplemented("create_vpc_endpoint"))
    }

    fn delete_internet_gateway(&mut self, _input: DeleteInternetGatewayRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_internet_gateway"))
    }

    fn delete_managed_prefix_list(
        &mut self,
        _input: DeleteManagedPrefixListRequest,
    ) -> Result<DeleteManagedPrefixListResult, Fault> {
        Err(super::unimplemented("delete_managed_prefix_list"))
    }

    fn delete_nat_gateway(&mut self, _input: DeleteNatGatewayRequest) -> Result<DeleteNatGatewayResult, Fault> {
        Err(super::unimplemented("delete_nat_gateway"))
    }

    fn delete_network_acl(&mut self, _input: DeleteNetworkAclRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_network_acl"))
    }

    fn delete_network_acl_entry(&mut self, _input: DeleteNetworkAclEntryRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_network_acl_entry"))
    }

    fn delete_network_interface(&mut self, _input: DeleteNetworkInterfaceRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_network_interface"))
    }

    fn delete_route(&mut self, _input: DeleteRouteRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_route"))
    }

    fn delete_route_table(&mut self, _input: DeleteRouteTableRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_route_table"))
    }

    fn delete_security_group(
        &mut self,
        _input: DeleteSecurityGroupRequest,
    ) -> Result<DeleteSecurityGroupResult, Fault> {
        Err(super::unimplemented("delete_security_group"))
    }

    fn delete_subnet(&mut self, _input: DeleteSubnetRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_subnet"))
    }

    fn delete_tags(&mut self, _input: DeleteTagsRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_tags"))
    }

    fn delete_vpc(&mut self, _input: DeleteVpcRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_vpc"))
    }

    fn delete_vpc_endpoints(&mut self, _input: DeleteVpcEndpointsRequest) -> Result<DeleteVpcEndpointsResult, Fault> {
        Err(super::unimplemented("delete_vpc_endpoints"))
    }

    fn describe_account_attributes(
        &mut self,
        _input: DescribeAccountAttributesRequest,
    ) -> Result<DescribeAccountAttributesResult, Fault> {
        Err(super::unimplemented("describe_account_attributes"))
    }

    fn describe_addresses(&mut self, _input: DescribeAddressesRequest) -> Result<DescribeAddressesResult, Fault> {
        Err(super::unimplemented("describe_addresses"))
    }

    fn describe_addresses_attribute(
        &mut self,
        _input: DescribeAddressesAttributeRequest,
    ) -> Result<DescribeAddressesAttributeResult, Fault> {
        Err(super::unimplemented("describe_addresses_attribute"))
    }

    fn describe_availability_zones(
        &mut self,
        _input: DescribeAvailabilityZonesRequest,
    ) -> Result<DescribeAvailabilityZonesResult, Fault> {
        Err(super::unimplemented("describe_availability_zones"))
    }

    fn describe_dhcp_options(
        &mut self,
        _input: DescribeDhcpOptionsRequest,
    ) -> Result<DescribeDhcpOptionsResult, Fault> {
        Err(super::unimplemented("describe_dhcp_options"))
    }

    fn describe_internet_gateways(
        &mut self,
        _input: DescribeInternetGatewaysRequest,
    ) -> Result<DescribeInternetGatewaysResult, Fault> {
        Err(super::unimplemented("describe_internet_gateways"))
    }

    fn describe_managed_prefix_lists(
        &mut self,
        _input: DescribeManagedPrefixListsRequest,
    ) -> Result<DescribeManagedPrefixListsResult, Fault> {
        Err(super::unimplemented("describe_managed_prefix_lists"))
    }

    fn describe_nat_gateways(
        &mut self,
        _input: DescribeNatGatewaysRequest,
    ) -> Result<DescribeNatGatewaysResult, Fault> {
        Err(super::unimplemented("describe_nat_gateways"))
    }

    fn describe_network_acls(
        &mut self,
        _input: DescribeNetworkAclsRequest,
    ) -> Result<DescribeNetworkAclsResult, Fault> {
        Err(super::unimplemented("describe_network_acls"))
    }

    fn describe_network_interface_attribute(
        &mut self,
        _input: DescribeNetworkInterfaceAttributeRequest,
    ) -> Result<DescribeNetworkInterfaceAttributeResult, Fault> {
        Err(super::unimplemented("describe_network_interface_attribute"))
    }

    fn describe_network_interfaces(
        &mut self,
        _input: DescribeNetworkInterfacesRequest,
    ) -> Result<DescribeNetworkInterfacesResult, Fault> {
        Err(super::unimplemented("describe_network_interfaces"))
    }

    fn describe_prefix_lists(
        &mut self,
        _input: DescribePrefixListsRequest,
    ) -> Result<DescribePrefixListsResult, Fault> {
        Err(super::unimplemented("describe_prefix_lists"))
    }

    fn describe_regions(&mut self, _input: DescribeRegionsRequest) -> Result<DescribeRegionsResult, Fault> {
        Err(super::unimplemented("describe_regions"))
    }

    fn describe_route_tables(
        &mut self,
        _input: DescribeRouteTablesRequest,
    ) -> Result<DescribeRouteTablesResult, Fault> {
        Err(super::unimplemented("describe_route_tables"))
    }

    fn describe_security_group_rules(
        &mut self,
        _input: DescribeSecurityGroupRulesRequest,
    ) -> Result<DescribeSecurityGroupRulesResult, Fault> {
        Err(super::unimplemented("describe_security_group_rules"))
    }

    fn describe_security_groups(
        &mut self,
        _input: DescribeSecurityGroupsRequest,
    ) -> Result<DescribeSecurityGroupsResult, Fault> {
        Err(super::unimplemented("describe_security_groups"))
    }

    fn describe_subnets(&mut self, _input: DescribeSubnetsRequest) -> Result<DescribeSubnetsResult, Fault> {
        Err(super::unimplemented("describe_subnets"))
    }

    fn describe_tags(&mut self, _input: DescribeTagsRequest) -> Result<DescribeTagsResult, Fault> {
        Err(super::unimplemented("describe_tags"))
    }

    fn describe_vpc_attribute(
        &mut self,
        _input: DescribeVpcAttributeRequest,
    ) -> Result<DescribeVpcAttributeResult, Fault> {
        Err(super::unimplemented("describe_vpc_attribute"))
    }

    fn describe_vpc_endpoints(
        &mut self,
        _input: DescribeVpcEndpointsRequest,
    ) -> Result<DescribeVpcEndpointsResult, Fault> {
        Err(super::unimplemented("describe_vpc_endpoints"))
    }

    fn describe_vpcs(&mut self, _input: DescribeVpcsRequest) -> Result<DescribeVpcsResult, Fault> {
        Err(super::unimplemented("describe_vpcs"))
    }

    fn detach_internet_gateway(&mut self, _input: DetachInternetGatewayRequest) -> Result<(), Fault> {
        Err(super::unimplemented("detach_internet_gateway"))
    }

    fn disassociate_address(&mut self, _input: DisassociateAddressRequest) -> Result<(), Fault> {
        Err(super::unimplemented("disassociate_address"))
    }

    fn disassociate_route_table(&mut self, _input: DisassociateRouteTableRequest) -> Result<(), Fault> {
        Err(super::unimplemented("disassociate_route_table"))
    }

    fn get_managed_prefix_list_entries(
        &mut self,
        _input: GetManagedPrefixListEntriesRequest,
    ) -> Result<GetManagedPrefixListEntriesResult, Fault> {
        Err(super::unimplemented("get_managed_prefix_list_entries"))
    }

    fn modify_managed_prefix_list(
        &mut self,
        _input: ModifyManagedPrefixListRequest,
    ) -> Result<ModifyManagedPrefixListResult, Fault> {
        Err(super::unimplemented("modify_managed_prefix_list"))
    }

    fn modify_network_interface_attribute(
        &mut self,
        _input: ModifyNetworkInterfaceAttributeRequest,
    ) -> Result<(), Fault> {
        Err(super::unimplemented("modify_network_interface_attribute"))
    }

    fn modify_security_group_rules(
        &mut self,
        _input: ModifySecurityGroupRulesRequest,
    ) -> Result<ModifySecurityGroupRulesResult, Fault> {
        Err(super::unimplemented("modify_security_group_rules"))
    }

    fn modify_subnet_attribute(&mut self, _input: ModifySubnetAttributeRequest) -> Result<(), Fault> {
        Err(super::unimplemented("modify_subnet_attribute"))
    }

    fn modify_vpc_attribute(&mut self, _input: ModifyVpcAttributeRequest) -> Result<(), Fault> {
        Err(super::unimplemented("modify_vpc_attribute"))
    }

    fn release_address(&mut self, _input: ReleaseAddressRequest) -> Result<(), Fault> {
        Err(super::unimplemented("release_address"))
    }

    fn replace_network_acl_association(
        &mut self,
        _input: ReplaceNetworkAclAssociationRequest,
    ) -> Result<ReplaceNetworkAclAssociationResult, Fault> {
        Err(super::unimplemented("replace_network_acl_association"))
    }

    fn replace_network_acl_entry(&mut self, _input: ReplaceNetworkAclEntryRequest) -> Result<(), Fault> {
        Err(super::unimplemented("replace_network_acl_entry"))
    }

    fn replace_route(&mut self, _input: ReplaceRouteRequest) -> Result<(), Fault> {
        Err(super::unimplemented("replace_route"))
    }

    fn replace_route_table_association(
        &mut self,
        _input: ReplaceRouteTableAssociationRequest,
    ) -> Result<ReplaceRouteTableAssociationResult, Fault> {
        Err(super::unimplemented("replace_route_table_association"))
    }

    fn revoke_security_group_egress(
        &mut self,
        _input: RevokeSecurityGroupEgressRequest,
    ) -> Result<RevokeSecurityGroupEgressResult, Fault> {
        Err(super::unimplemented("revoke_security_group_egress"))
    }

    fn revoke_security_group_ingress(
        &mut self,
        _input: RevokeSecurityGroupIngressRequest,
    ) -> Result<RevokeSecurityGroupIngressResult, Fault> {
        Err(super::unimplemented("revoke_security_group_ingress"))
    }

    fn update_security_group_rule_descriptions_egress(
        &mut self,
        _input: UpdateSecurityGroupRuleDescriptionsEgressRequest,
    ) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResult, Fault> {
        Err(super::unimplemented("update_security_group_rule_descriptions_egress"))
    }

    fn update_security_group_rule_descriptions_ingress(
        &mut self,
        _input: UpdateSecurityGroupRuleDescriptionsIngressRequest,
    ) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResult, Fault> {
        Err(super::unimplemented("update_security_group_rule_descriptions_ingress"))
    }
}

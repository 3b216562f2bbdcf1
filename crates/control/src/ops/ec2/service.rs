//! One line for each operation of EC2; what they do stands in the files beside.

use topology::verdict::Direction;
use wire::Fault;
use wire::ec2::*;

use super::permission::Flat;
use super::security_group::RuleRequest;
use super::{
    address, cidr_block, dhcp_options, egress_only, endpoint, endpoint_service, flow_log, instance, internet_gateway,
    nat_gateway, network_acl, network_interface, peering, place, prefix_list, refuse_dry_run, route_table,
    security_group, select, subnet, tags, vpc,
};
use crate::context::Context;

impl Service for Context<'_> {
    lists! {
        describe_addresses_attribute(context, input: DescribeAddressesAttributeRequest) -> DescribeAddressesAttributeResult.addresses { address::describe_attribute(context, input.allocation_ids)? }
        describe_dhcp_options(context, input: DescribeDhcpOptionsRequest) -> DescribeDhcpOptionsResult.dhcp_options { dhcp_options::describe(context, input.dhcp_options_ids, input.filters)? }
        describe_egress_only_internet_gateways(context, input: DescribeEgressOnlyInternetGatewaysRequest) -> DescribeEgressOnlyInternetGatewaysResult.egress_only_internet_gateways { egress_only::describe(context, input.egress_only_internet_gateway_ids, input.filters)? }
        describe_instance_credit_specifications(context, input: DescribeInstanceCreditSpecificationsRequest) -> DescribeInstanceCreditSpecificationsResult.instance_credit_specifications { instance::credits(context, input.instance_ids)? }
        describe_instance_status(context, input: DescribeInstanceStatusRequest) -> DescribeInstanceStatusResult.instance_statuses { instance::statuses(context, input.instance_ids, input.include_all_instances)? }
        describe_flow_logs(context, input: DescribeFlowLogsRequest) -> DescribeFlowLogsResult.flow_logs { flow_log::describe(context, input.flow_log_ids, input.filter)? }
        describe_internet_gateways(context, input: DescribeInternetGatewaysRequest) -> DescribeInternetGatewaysResult.internet_gateways { internet_gateway::describe(context, input.internet_gateway_ids, input.filters)? }
        describe_managed_prefix_lists(context, input: DescribeManagedPrefixListsRequest) -> DescribeManagedPrefixListsResult.prefix_lists { prefix_list::describe(context, input.prefix_list_ids, input.filters)? }
        describe_nat_gateways(context, input: DescribeNatGatewaysRequest) -> DescribeNatGatewaysResult.nat_gateways { nat_gateway::describe(context, input.nat_gateway_ids, input.filter)? }
        describe_network_acls(context, input: DescribeNetworkAclsRequest) -> DescribeNetworkAclsResult.network_acls { network_acl::describe(context, input.network_acl_ids, input.filters)? }
        describe_network_interfaces(context, input: DescribeNetworkInterfacesRequest) -> DescribeNetworkInterfacesResult.network_interfaces { network_interface::describe(context, input.network_interface_ids, input.filters)? }
        describe_prefix_lists(context, input: DescribePrefixListsRequest) -> DescribePrefixListsResult.prefix_lists { prefix_list::describe_services(context, input.prefix_list_ids, input.filters)? }
        describe_route_tables(context, input: DescribeRouteTablesRequest) -> DescribeRouteTablesResult.route_tables { route_table::describe(context, input.route_table_ids, input.filters)? }
        describe_security_group_rules(context, input: DescribeSecurityGroupRulesRequest) -> DescribeSecurityGroupRulesResult.security_group_rules { security_group::describe_rules(context, input.security_group_rule_ids, input.filters)? }
        describe_security_groups(context, input: DescribeSecurityGroupsRequest) -> DescribeSecurityGroupsResult.security_groups { security_group::describe(context, input.group_ids, input.group_names, input.filters)? }
        describe_subnets(context, input: DescribeSubnetsRequest) -> DescribeSubnetsResult.subnets { subnet::describe(context, input.subnet_ids, input.filters)? }
        describe_tags(context, input: DescribeTagsRequest) -> DescribeTagsResult.tags { tags::describe(context, input.filters)? }
        describe_vpc_endpoints(context, input: DescribeVpcEndpointsRequest) -> DescribeVpcEndpointsResult.vpc_endpoints { endpoint::describe(context, input.vpc_endpoint_ids, input.filters)? }
        describe_vpc_peering_connections(context, input: DescribeVpcPeeringConnectionsRequest) -> DescribeVpcPeeringConnectionsResult.vpc_peering_connections { peering::describe(context, input.vpc_peering_connection_ids, input.filters)? }
        describe_vpcs(context, input: DescribeVpcsRequest) -> DescribeVpcsResult.vpcs { vpc::describe(context, input.vpc_ids, input.filters)? }
        get_managed_prefix_list_entries(context, input: GetManagedPrefixListEntriesRequest) -> GetManagedPrefixListEntriesResult.entries { prefix_list::entries(context, &input)? }
    }

    calls! {
        accept_vpc_peering_connection(context, input: AcceptVpcPeeringConnectionRequest) -> AcceptVpcPeeringConnectionResult {
            let accepted = peering::accept(context, &input.vpc_peering_connection_id)?;
            Ok(AcceptVpcPeeringConnectionResult { vpc_peering_connection: Some(accepted) })
        }
        create_flow_logs(context, input: CreateFlowLogsRequest) -> CreateFlowLogsResult {
            flow_log::create(context, input)
        }
        create_vpc_peering_connection(context, input: CreateVpcPeeringConnectionRequest) -> CreateVpcPeeringConnectionResult {
            Ok(CreateVpcPeeringConnectionResult { vpc_peering_connection: Some(peering::create(context, input)?) })
        }
        delete_flow_logs(context, input: DeleteFlowLogsRequest) -> DeleteFlowLogsResult {
            flow_log::delete(context, &input.flow_log_ids)
        }
        delete_vpc_peering_connection(context, input: DeleteVpcPeeringConnectionRequest) -> DeleteVpcPeeringConnectionResult {
            peering::delete(context, &input.vpc_peering_connection_id)?;
            Ok(DeleteVpcPeeringConnectionResult { return_: Some(true) })
        }
        modify_vpc_peering_connection_options(context, input: ModifyVpcPeeringConnectionOptionsRequest) -> ModifyVpcPeeringConnectionOptionsResult {
            peering::modify_options(context, &input)
        }
        reject_vpc_peering_connection(context, input: RejectVpcPeeringConnectionRequest) -> RejectVpcPeeringConnectionResult {
            peering::reject(context, &input.vpc_peering_connection_id)?;
            Ok(RejectVpcPeeringConnectionResult { return_: Some(true) })
        }
    }

    fn allocate_address(&mut self, input: AllocateAddressRequest) -> Result<AllocateAddressResult, Fault> {
        unless_dry!(input.dry_run, { address::allocate(self, input) })
    }

    fn associate_address(&mut self, input: AssociateAddressRequest) -> Result<AssociateAddressResult, Fault> {
        unless_dry!(input.dry_run, {
            let id = address::associate(self, &input)?;
            Ok(AssociateAddressResult { association_id: Some(id.to_string()) })
        })
    }

    fn associate_dhcp_options(&mut self, input: AssociateDhcpOptionsRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { dhcp_options::associate(self, &input) })
    }

    fn associate_route_table(&mut self, input: AssociateRouteTableRequest) -> Result<AssociateRouteTableResult, Fault> {
        unless_dry!(input.dry_run, { route_table::associate(self, &input) })
    }

    fn associate_subnet_cidr_block(
        &mut self,
        input: AssociateSubnetCidrBlockRequest,
    ) -> Result<AssociateSubnetCidrBlockResult, Fault> {
        cidr_block::associate_subnet(self, &input)
    }

    fn associate_vpc_cidr_block(
        &mut self,
        input: AssociateVpcCidrBlockRequest,
    ) -> Result<AssociateVpcCidrBlockResult, Fault> {
        cidr_block::associate_vpc(self, &input)
    }

    fn attach_internet_gateway(&mut self, input: AttachInternetGatewayRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { internet_gateway::attach(self, &input.internet_gateway_id, &input.vpc_id) })
    }

    fn authorize_security_group_egress(
        &mut self,
        input: AuthorizeSecurityGroupEgressRequest,
    ) -> Result<AuthorizeSecurityGroupEgressResult, Fault> {
        unless_dry!(input.dry_run, {
            let request = rule_request!(Egress, Some(input.group_id), None, flat input);
            let rules = security_group::authorize(self, request, input.tag_specifications)?;
            Ok(AuthorizeSecurityGroupEgressResult { return_: Some(true), security_group_rules: Some(rules) })
        })
    }

    fn authorize_security_group_ingress(
        &mut self,
        input: AuthorizeSecurityGroupIngressRequest,
    ) -> Result<AuthorizeSecurityGroupIngressResult, Fault> {
        unless_dry!(input.dry_run, {
            let request = rule_request!(Ingress, input.group_id, input.group_name, flat input);
            let rules = security_group::authorize(self, request, input.tag_specifications)?;
            Ok(AuthorizeSecurityGroupIngressResult { return_: Some(true), security_group_rules: Some(rules) })
        })
    }

    fn create_default_vpc(&mut self, input: CreateDefaultVpcRequest) -> Result<CreateDefaultVpcResult, Fault> {
        unless_dry!(input.dry_run, { Ok(CreateDefaultVpcResult { vpc: Some(vpc::create_default(self)?) }) })
    }

    fn create_dhcp_options(&mut self, input: CreateDhcpOptionsRequest) -> Result<CreateDhcpOptionsResult, Fault> {
        unless_dry!(input.dry_run, {
            Ok(CreateDhcpOptionsResult { dhcp_options: Some(dhcp_options::create(self, input)?) })
        })
    }

    fn create_egress_only_internet_gateway(
        &mut self,
        input: CreateEgressOnlyInternetGatewayRequest,
    ) -> Result<CreateEgressOnlyInternetGatewayResult, Fault> {
        made!(input, egress_only::create(self, input)? => CreateEgressOnlyInternetGatewayResult.egress_only_internet_gateway)
    }

    fn create_internet_gateway(
        &mut self,
        input: CreateInternetGatewayRequest,
    ) -> Result<CreateInternetGatewayResult, Fault> {
        unless_dry!(input.dry_run, {
            let made = internet_gateway::create(self, input.tag_specifications)?;
            Ok(CreateInternetGatewayResult { internet_gateway: Some(made) })
        })
    }

    fn create_managed_prefix_list(
        &mut self,
        input: CreateManagedPrefixListRequest,
    ) -> Result<CreateManagedPrefixListResult, Fault> {
        unless_dry!(input.dry_run, {
            Ok(CreateManagedPrefixListResult { prefix_list: Some(prefix_list::create(self, input)?) })
        })
    }

    fn create_nat_gateway(&mut self, input: CreateNatGatewayRequest) -> Result<CreateNatGatewayResult, Fault> {
        made!(input, nat_gateway::create(self, input)? => CreateNatGatewayResult.nat_gateway)
    }

    fn assign_ipv6_addresses(&mut self, input: AssignIpv6AddressesRequest) -> Result<AssignIpv6AddressesResult, Fault> {
        network_interface::assign_ipv6(self, input)
    }

    fn unassign_ipv6_addresses(
        &mut self,
        input: UnassignIpv6AddressesRequest,
    ) -> Result<UnassignIpv6AddressesResult, Fault> {
        network_interface::unassign_ipv6(self, input)
    }

    fn create_network_acl(&mut self, input: CreateNetworkAclRequest) -> Result<CreateNetworkAclResult, Fault> {
        made!(input, network_acl::create(self, input)? => CreateNetworkAclResult.network_acl)
    }

    fn create_network_acl_entry(&mut self, input: CreateNetworkAclEntryRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { network_acl::create_entry(self, &input.into()) })
    }

    fn create_network_interface(
        &mut self,
        input: CreateNetworkInterfaceRequest,
    ) -> Result<CreateNetworkInterfaceResult, Fault> {
        made!(input, network_interface::create(self, input)? => CreateNetworkInterfaceResult.network_interface)
    }

    fn create_route(&mut self, input: CreateRouteRequest) -> Result<CreateRouteResult, Fault> {
        unless_dry!(input.dry_run, {
            route_table::create_route(self, &input.into())?;
            Ok(CreateRouteResult { return_: Some(true) })
        })
    }

    fn create_route_table(&mut self, input: CreateRouteTableRequest) -> Result<CreateRouteTableResult, Fault> {
        made!(input, route_table::create(self, input)? => CreateRouteTableResult.route_table)
    }

    fn create_security_group(&mut self, input: CreateSecurityGroupRequest) -> Result<CreateSecurityGroupResult, Fault> {
        unless_dry!(input.dry_run, { security_group::create(self, input) })
    }

    fn create_subnet(&mut self, input: CreateSubnetRequest) -> Result<CreateSubnetResult, Fault> {
        unless_dry!(input.dry_run, { Ok(CreateSubnetResult { subnet: Some(subnet::create(self, input)?) }) })
    }

    fn create_tags(&mut self, input: CreateTagsRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { tags::create(self, input) })
    }

    fn create_vpc(&mut self, input: CreateVpcRequest) -> Result<CreateVpcResult, Fault> {
        unless_dry!(input.dry_run, { Ok(CreateVpcResult { vpc: Some(vpc::create(self, input)?) }) })
    }

    fn create_vpc_endpoint(&mut self, input: CreateVpcEndpointRequest) -> Result<CreateVpcEndpointResult, Fault> {
        made!(input, endpoint::create(self, input)? => CreateVpcEndpointResult.vpc_endpoint)
    }

    fn delete_dhcp_options(&mut self, input: DeleteDhcpOptionsRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { dhcp_options::delete(self, &input.dhcp_options_id) })
    }

    fn delete_egress_only_internet_gateway(
        &mut self,
        input: DeleteEgressOnlyInternetGatewayRequest,
    ) -> Result<DeleteEgressOnlyInternetGatewayResult, Fault> {
        unless_dry!(input.dry_run, {
            egress_only::delete(self, &input.egress_only_internet_gateway_id)?;
            Ok(DeleteEgressOnlyInternetGatewayResult { return_code: Some(true) })
        })
    }

    fn delete_internet_gateway(&mut self, input: DeleteInternetGatewayRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { internet_gateway::delete(self, &input.internet_gateway_id) })
    }

    fn delete_managed_prefix_list(
        &mut self,
        input: DeleteManagedPrefixListRequest,
    ) -> Result<DeleteManagedPrefixListResult, Fault> {
        unless_dry!(input.dry_run, {
            let gone = prefix_list::delete(self, &input.prefix_list_id)?;
            Ok(DeleteManagedPrefixListResult { prefix_list: Some(gone) })
        })
    }

    fn delete_nat_gateway(&mut self, input: DeleteNatGatewayRequest) -> Result<DeleteNatGatewayResult, Fault> {
        unless_dry!(input.dry_run, {
            nat_gateway::delete(self, &input.nat_gateway_id)?;
            Ok(DeleteNatGatewayResult { nat_gateway_id: Some(input.nat_gateway_id) })
        })
    }

    fn delete_network_acl(&mut self, input: DeleteNetworkAclRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { network_acl::delete(self, &input.network_acl_id) })
    }

    fn delete_network_acl_entry(&mut self, input: DeleteNetworkAclEntryRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { network_acl::delete_entry(self, &input) })
    }

    fn delete_network_interface(&mut self, input: DeleteNetworkInterfaceRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { network_interface::delete(self, &input.network_interface_id) })
    }

    fn delete_route(&mut self, input: DeleteRouteRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { route_table::delete_route(self, &input.into()) })
    }

    fn delete_route_table(&mut self, input: DeleteRouteTableRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { route_table::delete(self, &input.route_table_id) })
    }

    fn delete_security_group(&mut self, input: DeleteSecurityGroupRequest) -> Result<DeleteSecurityGroupResult, Fault> {
        unless_dry!(input.dry_run, {
            let id = security_group::delete(self, input.group_id.as_deref(), input.group_name.as_deref())?;
            Ok(DeleteSecurityGroupResult { group_id: Some(id.to_string()), return_: Some(true) })
        })
    }

    fn delete_subnet(&mut self, input: DeleteSubnetRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { subnet::delete(self, &input.subnet_id) })
    }

    fn delete_tags(&mut self, input: DeleteTagsRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { tags::delete(self, input) })
    }

    fn delete_vpc(&mut self, input: DeleteVpcRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { vpc::delete(self, &input.vpc_id) })
    }

    fn delete_vpc_endpoints(&mut self, input: DeleteVpcEndpointsRequest) -> Result<DeleteVpcEndpointsResult, Fault> {
        unless_dry!(input.dry_run, {
            let unsuccessful = endpoint::delete(self, &input.vpc_endpoint_ids);
            Ok(DeleteVpcEndpointsResult { unsuccessful: Some(unsuccessful) })
        })
    }

    fn describe_instance_types(
        &mut self,
        input: DescribeInstanceTypesRequest,
    ) -> Result<DescribeInstanceTypesResult, Fault> {
        unless_dry!(input.dry_run, {
            let found = instance::types(input.instance_types)?;
            let (items, next_token) = select::page(found, input.max_results, input.next_token.as_deref())?;
            Ok(DescribeInstanceTypesResult { instance_types: Some(items), next_token })
        })
    }

    fn describe_account_attributes(
        &mut self,
        input: DescribeAccountAttributesRequest,
    ) -> Result<DescribeAccountAttributesResult, Fault> {
        unless_dry!(input.dry_run, {
            let found = place::account_attributes(self, input.attribute_names)?;
            Ok(DescribeAccountAttributesResult { account_attributes: Some(found) })
        })
    }

    fn describe_addresses(&mut self, input: DescribeAddressesRequest) -> Result<DescribeAddressesResult, Fault> {
        unless_dry!(input.dry_run, {
            let found = address::describe(self, input)?;
            Ok(DescribeAddressesResult { addresses: Some(found) })
        })
    }

    fn describe_availability_zones(
        &mut self,
        input: DescribeAvailabilityZonesRequest,
    ) -> Result<DescribeAvailabilityZonesResult, Fault> {
        unless_dry!(input.dry_run, {
            let found = place::zones(self, input)?;
            Ok(DescribeAvailabilityZonesResult { availability_zones: Some(found) })
        })
    }

    fn describe_instance_attribute(
        &mut self,
        input: DescribeInstanceAttributeRequest,
    ) -> Result<InstanceAttribute, Fault> {
        unless_dry!(input.dry_run, { instance::attribute(self, &input) })
    }

    fn describe_instances(&mut self, input: DescribeInstancesRequest) -> Result<DescribeInstancesResult, Fault> {
        unless_dry!(input.dry_run, { instance::describe(self, input) })
    }

    fn describe_network_interface_attribute(
        &mut self,
        input: DescribeNetworkInterfaceAttributeRequest,
    ) -> Result<DescribeNetworkInterfaceAttributeResult, Fault> {
        unless_dry!(input.dry_run, { network_interface::attribute(self, &input) })
    }

    fn describe_regions(&mut self, input: DescribeRegionsRequest) -> Result<DescribeRegionsResult, Fault> {
        unless_dry!(input.dry_run, {
            let found = place::regions(self, input)?;
            Ok(DescribeRegionsResult { regions: Some(found) })
        })
    }

    fn describe_vpc_attribute(
        &mut self,
        input: DescribeVpcAttributeRequest,
    ) -> Result<DescribeVpcAttributeResult, Fault> {
        unless_dry!(input.dry_run, { vpc::attribute(self, &input) })
    }

    fn describe_vpc_endpoint_services(
        &mut self,
        input: DescribeVpcEndpointServicesRequest,
    ) -> Result<DescribeVpcEndpointServicesResult, Fault> {
        unless_dry!(input.dry_run, { endpoint_service::describe(self, input) })
    }

    fn detach_internet_gateway(&mut self, input: DetachInternetGatewayRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { internet_gateway::detach(self, &input.internet_gateway_id, &input.vpc_id) })
    }

    fn disassociate_address(&mut self, input: DisassociateAddressRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { address::disassociate(self, &input) })
    }

    fn disassociate_route_table(&mut self, input: DisassociateRouteTableRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { route_table::disassociate(self, &input.association_id) })
    }

    fn disassociate_subnet_cidr_block(
        &mut self,
        input: DisassociateSubnetCidrBlockRequest,
    ) -> Result<DisassociateSubnetCidrBlockResult, Fault> {
        cidr_block::disassociate_subnet(self, &input.association_id)
    }

    fn disassociate_vpc_cidr_block(
        &mut self,
        input: DisassociateVpcCidrBlockRequest,
    ) -> Result<DisassociateVpcCidrBlockResult, Fault> {
        cidr_block::disassociate_vpc(self, &input.association_id)
    }

    fn modify_instance_attribute(&mut self, input: ModifyInstanceAttributeRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { instance::modify_attribute(self, input) })
    }

    fn modify_managed_prefix_list(
        &mut self,
        input: ModifyManagedPrefixListRequest,
    ) -> Result<ModifyManagedPrefixListResult, Fault> {
        unless_dry!(input.dry_run, {
            Ok(ModifyManagedPrefixListResult { prefix_list: Some(prefix_list::modify(self, input)?) })
        })
    }

    fn modify_network_interface_attribute(
        &mut self,
        input: ModifyNetworkInterfaceAttributeRequest,
    ) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { network_interface::modify_attribute(self, input) })
    }

    fn modify_security_group_rules(
        &mut self,
        input: ModifySecurityGroupRulesRequest,
    ) -> Result<ModifySecurityGroupRulesResult, Fault> {
        unless_dry!(input.dry_run, {
            security_group::modify_rules(self, &input.group_id, input.security_group_rules)?;
            Ok(ModifySecurityGroupRulesResult { return_: Some(true) })
        })
    }

    fn modify_subnet_attribute(&mut self, input: ModifySubnetAttributeRequest) -> Result<(), Fault> {
        subnet::modify_attribute(self, &input)
    }

    fn modify_vpc_attribute(&mut self, input: ModifyVpcAttributeRequest) -> Result<(), Fault> {
        vpc::modify_attribute(self, &input)
    }

    fn modify_vpc_endpoint(&mut self, input: ModifyVpcEndpointRequest) -> Result<ModifyVpcEndpointResult, Fault> {
        unless_dry!(input.dry_run, {
            endpoint::modify(self, input)?;
            Ok(ModifyVpcEndpointResult { return_: Some(true) })
        })
    }

    fn release_address(&mut self, input: ReleaseAddressRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { address::release(self, &input) })
    }

    fn monitor_instances(&mut self, input: MonitorInstancesRequest) -> Result<MonitorInstancesResult, Fault> {
        unless_dry!(input.dry_run, { instance::monitor(self, &input.instance_ids) })
    }

    fn replace_network_acl_association(
        &mut self,
        input: ReplaceNetworkAclAssociationRequest,
    ) -> Result<ReplaceNetworkAclAssociationResult, Fault> {
        unless_dry!(input.dry_run, {
            let id = network_acl::replace_association(self, &input.association_id, &input.network_acl_id)?;
            Ok(ReplaceNetworkAclAssociationResult { new_association_id: Some(id.to_string()) })
        })
    }

    fn replace_network_acl_entry(&mut self, input: ReplaceNetworkAclEntryRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { network_acl::replace_entry(self, &input.into()) })
    }

    fn replace_route(&mut self, input: ReplaceRouteRequest) -> Result<(), Fault> {
        unless_dry!(input.dry_run, { route_table::replace_route(self, &input.into()) })
    }

    fn replace_route_table_association(
        &mut self,
        input: ReplaceRouteTableAssociationRequest,
    ) -> Result<ReplaceRouteTableAssociationResult, Fault> {
        unless_dry!(input.dry_run, {
            route_table::replace_association(self, &input.association_id, &input.route_table_id)
        })
    }

    fn revoke_security_group_egress(
        &mut self,
        input: RevokeSecurityGroupEgressRequest,
    ) -> Result<RevokeSecurityGroupEgressResult, Fault> {
        unless_dry!(input.dry_run, {
            let request = rule_request!(Egress, Some(input.group_id), None, flat input);
            Ok(security_group::revoke(self, request, input.security_group_rule_ids)?.into())
        })
    }

    fn revoke_security_group_ingress(
        &mut self,
        input: RevokeSecurityGroupIngressRequest,
    ) -> Result<RevokeSecurityGroupIngressResult, Fault> {
        unless_dry!(input.dry_run, {
            let request = rule_request!(Ingress, input.group_id, input.group_name, flat input);
            Ok(security_group::revoke(self, request, input.security_group_rule_ids)?.into())
        })
    }

    fn run_instances(&mut self, input: RunInstancesRequest) -> Result<Reservation, Fault> {
        unless_dry!(input.dry_run, { instance::run(self, input) })
    }

    fn start_instances(&mut self, input: StartInstancesRequest) -> Result<StartInstancesResult, Fault> {
        unless_dry!(input.dry_run, { instance::start(self, &input.instance_ids) })
    }

    fn stop_instances(&mut self, input: StopInstancesRequest) -> Result<StopInstancesResult, Fault> {
        unless_dry!(input.dry_run, { instance::stop(self, &input.instance_ids) })
    }

    fn terminate_instances(&mut self, input: TerminateInstancesRequest) -> Result<TerminateInstancesResult, Fault> {
        unless_dry!(input.dry_run, { instance::terminate(self, &input.instance_ids) })
    }

    fn unmonitor_instances(&mut self, input: UnmonitorInstancesRequest) -> Result<UnmonitorInstancesResult, Fault> {
        unless_dry!(input.dry_run, { instance::unmonitor(self, &input.instance_ids) })
    }

    fn update_security_group_rule_descriptions_egress(
        &mut self,
        input: UpdateSecurityGroupRuleDescriptionsEgressRequest,
    ) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResult, Fault> {
        unless_dry!(input.dry_run, {
            let request = rule_request!(Egress, input.group_id, input.group_name, none input);
            security_group::update_descriptions(self, request, input.security_group_rule_descriptions)?;
            Ok(UpdateSecurityGroupRuleDescriptionsEgressResult { return_: Some(true) })
        })
    }

    fn update_security_group_rule_descriptions_ingress(
        &mut self,
        input: UpdateSecurityGroupRuleDescriptionsIngressRequest,
    ) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResult, Fault> {
        unless_dry!(input.dry_run, {
            let request = rule_request!(Ingress, input.group_id, input.group_name, none input);
            security_group::update_descriptions(self, request, input.security_group_rule_descriptions)?;
            Ok(UpdateSecurityGroupRuleDescriptionsIngressResult { return_: Some(true) })
        })
    }
}

//! The operations of elbv2, one line each; what they do stands in the files beside.

use wire::Fault;
use wire::elbv2::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn add_listener_certificates(
        &mut self,
        _input: AddListenerCertificatesInput,
    ) -> Result<AddListenerCertificatesOutput, Fault> {
        Err(super::unimplemented("add_listener_certificates"))
    }

    fn add_tags(&mut self, _input: AddTagsInput) -> Result<AddTagsOutput, Fault> {
        Err(super::unimplemented("add_tags"))
    }

    fn create_listener(&mut self, _input: CreateListenerInput) -> Result<CreateListenerOutput, Fault> {
        Err(super::unimplemented("create_listener"))
    }

    fn create_load_balancer(&mut self, _input: CreateLoadBalancerInput) -> Result<CreateLoadBalancerOutput, Fault> {
        Err(super::unimplemented("create_load_balancer"))
    }

    fn create_rule(&mut self, _input: CreateRuleInput) -> Result<CreateRuleOutput, Fault> {
        Err(super::unimplemented("create_rule"))
    }

    fn create_target_group(&mut self, _input: CreateTargetGroupInput) -> Result<CreateTargetGroupOutput, Fault> {
        Err(super::unimplemented("create_target_group"))
    }

    fn delete_listener(&mut self, _input: DeleteListenerInput) -> Result<DeleteListenerOutput, Fault> {
        Err(super::unimplemented("delete_listener"))
    }

    fn delete_load_balancer(&mut self, _input: DeleteLoadBalancerInput) -> Result<DeleteLoadBalancerOutput, Fault> {
        Err(super::unimplemented("delete_load_balancer"))
    }

    fn delete_rule(&mut self, _input: DeleteRuleInput) -> Result<DeleteRuleOutput, Fault> {
        Err(super::unimplemented("delete_rule"))
    }

    fn delete_target_group(&mut self, _input: DeleteTargetGroupInput) -> Result<DeleteTargetGroupOutput, Fault> {
        Err(super::unimplemented("delete_target_group"))
    }

    fn deregister_targets(&mut self, _input: DeregisterTargetsInput) -> Result<DeregisterTargetsOutput, Fault> {
        Err(super::unimplemented("deregister_targets"))
    }

    fn describe_account_limits(
        &mut self,
        _input: DescribeAccountLimitsInput,
    ) -> Result<DescribeAccountLimitsOutput, Fault> {
        Err(super::unimplemented("describe_account_limits"))
    }

    fn describe_capacity_reservation(
        &mut self,
        _input: DescribeCapacityReservationInput,
    ) -> Result<DescribeCapacityReservationOutput, Fault> {
        Err(super::unimplemented("describe_capacity_reservation"))
    }

    fn describe_listener_attributes(
        &mut self,
        _input: DescribeListenerAttributesInput,
    ) -> Result<DescribeListenerAttributesOutput, Fault> {
        Err(super::unimplemented("describe_listener_attributes"))
    }

    fn describe_listener_certificates(
        &mut self,
        _input: DescribeListenerCertificatesInput,
    ) -> Result<DescribeListenerCertificatesOutput, Fault> {
        Err(super::unimplemented("describe_listener_certificates"))
    }

    fn describe_listeners(&mut self, _input: DescribeListenersInput) -> Result<DescribeListenersOutput, Fault> {
        Err(super::unimplemented("describe_listeners"))
    }

    fn describe_load_balancer_attributes(
        &mut self,
        _input: DescribeLoadBalancerAttributesInput,
    ) -> Result<DescribeLoadBalancerAttributesOutput, Fault> {
        Err(super::unimplemented("describe_load_balancer_attributes"))
    }

    fn describe_load_balancers(
        &mut self,
        _input: DescribeLoadBalancersInput,
    ) -> Result<DescribeLoadBalancersOutput, Fault> {
        Err(super::unimplemented("describe_load_balancers"))
    }

    fn describe_rules(&mut self, _input: DescribeRulesInput) -> Result<DescribeRulesOutput, Fault> {
        Err(super::unimplemented("describe_rules"))
    }

    fn describe_ssl_policies(&mut self, _input: DescribeSSLPoliciesInput) -> Result<DescribeSSLPoliciesOutput, Fault> {
        Err(super::unimplemented("describe_ssl_policies"))
    }

    fn describe_tags(&mut self, _input: DescribeTagsInput) -> Result<DescribeTagsOutput, Fault> {
        Err(super::unimplemented("describe_tags"))
    }

    fn describe_target_group_attributes(
        &mut self,
        _input: DescribeTargetGroupAttributesInput,
    ) -> Result<DescribeTargetGroupAttributesOutput, Fault> {
        Err(super::unimplemented("describe_target_group_attributes"))
    }

    fn describe_target_groups(
        &mut self,
        _input: DescribeTargetGroupsInput,
    ) -> Result<DescribeTargetGroupsOutput, Fault> {
        Err(super::unimplemented("describe_target_groups"))
    }

    fn describe_target_health(
        &mut self,
        _input: DescribeTargetHealthInput,
    ) -> Result<DescribeTargetHealthOutput, Fault> {
        Err(super::unimplemented("describe_target_health"))
    }

    fn modify_listener(&mut self, _input: ModifyListenerInput) -> Result<ModifyListenerOutput, Fault> {
        Err(super::unimplemented("modify_listener"))
    }

    fn modify_listener_attributes(
        &mut self,
        _input: ModifyListenerAttributesInput,
    ) -> Result<ModifyListenerAttributesOutput, Fault> {
        Err(super::unimplemented("modify_listener_attributes"))
    }

    fn modify_load_balancer_attributes(
        &mut self,
        _input: ModifyLoadBalancerAttributesInput,
    ) -> Result<ModifyLoadBalancerAttributesOutput, Fault> {
        Err(super::unimplemented("modify_load_balancer_attributes"))
    }

    fn modify_rule(&mut self, _input: ModifyRuleInput) -> Result<ModifyRuleOutput, Fault> {
        Err(super::unimplemented("modify_rule"))
    }

    fn modify_target_group(&mut self, _input: ModifyTargetGroupInput) -> Result<ModifyTargetGroupOutput, Fault> {
        Err(super::unimplemented("modify_target_group"))
    }

    fn modify_target_group_attributes(
        &mut self,
        _input: ModifyTargetGroupAttributesInput,
    ) -> Result<ModifyTargetGroupAttributesOutput, Fault> {
        Err(super::unimplemented("modify_target_group_attributes"))
    }

    fn register_targets(&mut self, _input: RegisterTargetsInput) -> Result<RegisterTargetsOutput, Fault> {
        Err(super::unimplemented("register_targets"))
    }

    fn remove_listener_certificates(
        &mut self,
        _input: RemoveListenerCertificatesInput,
    ) -> Result<RemoveListenerCertificatesOutput, Fault> {
        Err(super::unimplemented("remove_listener_certificates"))
    }

    fn remove_tags(&mut self, _input: RemoveTagsInput) -> Result<RemoveTagsOutput, Fault> {
        Err(super::unimplemented("remove_tags"))
    }

    fn set_ip_address_type(&mut self, _input: SetIpAddressTypeInput) -> Result<SetIpAddressTypeOutput, Fault> {
        Err(super::unimplemented("set_ip_address_type"))
    }

    fn set_rule_priorities(&mut self, _input: SetRulePrioritiesInput) -> Result<SetRulePrioritiesOutput, Fault> {
        Err(super::unimplemented("set_rule_priorities"))
    }

    fn set_security_groups(&mut self, _input: SetSecurityGroupsInput) -> Result<SetSecurityGroupsOutput, Fault> {
        Err(super::unimplemented("set_security_groups"))
    }

    fn set_subnets(&mut self, _input: SetSubnetsInput) -> Result<SetSubnetsOutput, Fault> {
        Err(super::unimplemented("set_subnets"))
    }
}

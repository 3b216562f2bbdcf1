//! The operations of Elastic Load Balancing V2 for application load balancers, one line each; what they do stands in the
//! files beside.

mod action;
mod alb_target;
mod attributes;
mod catalog;
mod condition;
mod dual_stack;
mod elastic_ip;
mod fault;
mod gate;
mod listener;
mod load_balancer;
mod mutual;
pub(crate) mod revocation;
mod rule;
mod tags;
mod target;
mod target_group;
mod transform;
mod trust_store;

use wire::Fault;
use wire::elbv2::*;

use crate::context::Context;
use crate::ops::paging;

macro_rules! listed {
    ($items:expr, $input:expr => $to:ident . $field:ident) => {{
        let (items, next_marker) = page($items, $input.page_size, $input.marker.as_deref())?;
        Ok($to { $field: Some(items), next_marker })
    }};
}

impl Service for Context<'_> {
    fn create_load_balancer(&mut self, input: CreateLoadBalancerInput) -> Result<CreateLoadBalancerOutput, Fault> {
        let made = load_balancer::create(self, input)?;
        Ok(CreateLoadBalancerOutput { load_balancers: Some(vec![made]) })
    }

    fn describe_load_balancers(
        &mut self,
        input: DescribeLoadBalancersInput,
    ) -> Result<DescribeLoadBalancersOutput, Fault> {
        let found = load_balancer::select(self, input.load_balancer_arns.as_deref(), input.names.as_deref())?;
        listed!(found, input => DescribeLoadBalancersOutput.load_balancers)
    }

    fn delete_load_balancer(&mut self, input: DeleteLoadBalancerInput) -> Result<DeleteLoadBalancerOutput, Fault> {
        load_balancer::delete(self, &input.load_balancer_arn).map(|()| DeleteLoadBalancerOutput)
    }

    fn describe_load_balancer_attributes(
        &mut self,
        input: DescribeLoadBalancerAttributesInput,
    ) -> Result<DescribeLoadBalancerAttributesOutput, Fault> {
        let found = attributes::of_balancer(self, &input.load_balancer_arn)?;
        Ok(DescribeLoadBalancerAttributesOutput { attributes: Some(found) })
    }

    fn modify_load_balancer_attributes(
        &mut self,
        input: ModifyLoadBalancerAttributesInput,
    ) -> Result<ModifyLoadBalancerAttributesOutput, Fault> {
        let found = attributes::modify_balancer(self, input)?;
        Ok(ModifyLoadBalancerAttributesOutput { attributes: Some(found) })
    }

    fn set_security_groups(&mut self, input: SetSecurityGroupsInput) -> Result<SetSecurityGroupsOutput, Fault> {
        load_balancer::set_groups(self, input)
    }

    fn set_subnets(&mut self, input: SetSubnetsInput) -> Result<SetSubnetsOutput, Fault> {
        let balancer = load_balancer::set_subnets(self, input)?;
        let (availability_zones, ip_address_type) = (balancer.availability_zones, balancer.ip_address_type);
        Ok(SetSubnetsOutput { availability_zones, ip_address_type })
    }

    fn set_ip_address_type(&mut self, input: SetIpAddressTypeInput) -> Result<SetIpAddressTypeOutput, Fault> {
        let kind = dual_stack::set_ip_address_type(self, &input.load_balancer_arn, input.ip_address_type)?;
        Ok(SetIpAddressTypeOutput { ip_address_type: Some(kind) })
    }

    fn describe_capacity_reservation(
        &mut self,
        input: DescribeCapacityReservationInput,
    ) -> Result<DescribeCapacityReservationOutput, Fault> {
        // No capacity can be reserved here, which is also what AWS answers when none was.
        fault::balancer(self, &input.load_balancer_arn)?;
        Ok(DescribeCapacityReservationOutput { decrease_requests_remaining: Some(2), ..Default::default() })
    }

    fn create_listener(&mut self, input: CreateListenerInput) -> Result<CreateListenerOutput, Fault> {
        listener::create(self, input).map(|made| CreateListenerOutput { listeners: Some(vec![made]) })
    }

    fn describe_listeners(&mut self, input: DescribeListenersInput) -> Result<DescribeListenersOutput, Fault> {
        listed!(listener::select(self, &input)?, input => DescribeListenersOutput.listeners)
    }

    fn modify_listener(&mut self, input: ModifyListenerInput) -> Result<ModifyListenerOutput, Fault> {
        listener::modify(self, input).map(|made| ModifyListenerOutput { listeners: Some(vec![made]) })
    }

    fn delete_listener(&mut self, input: DeleteListenerInput) -> Result<DeleteListenerOutput, Fault> {
        listener::delete(self, &input.listener_arn).map(|()| DeleteListenerOutput)
    }

    fn describe_listener_attributes(
        &mut self,
        input: DescribeListenerAttributesInput,
    ) -> Result<DescribeListenerAttributesOutput, Fault> {
        let found = attributes::of_listener(self, &input.listener_arn)?;
        Ok(DescribeListenerAttributesOutput { attributes: Some(found) })
    }

    fn modify_listener_attributes(
        &mut self,
        input: ModifyListenerAttributesInput,
    ) -> Result<ModifyListenerAttributesOutput, Fault> {
        let found = attributes::modify_listener(self, input)?;
        Ok(ModifyListenerAttributesOutput { attributes: Some(found) })
    }

    fn describe_listener_certificates(
        &mut self,
        input: DescribeListenerCertificatesInput,
    ) -> Result<DescribeListenerCertificatesOutput, Fault> {
        let found = listener::certificates(self, &input.listener_arn)?;
        listed!(found, input => DescribeListenerCertificatesOutput.certificates)
    }

    fn add_listener_certificates(
        &mut self,
        input: AddListenerCertificatesInput,
    ) -> Result<AddListenerCertificatesOutput, Fault> {
        let certificates = listener::add_certificates(self, input)?;
        Ok(AddListenerCertificatesOutput { certificates: Some(certificates) })
    }

    fn remove_listener_certificates(
        &mut self,
        input: RemoveListenerCertificatesInput,
    ) -> Result<RemoveListenerCertificatesOutput, Fault> {
        listener::remove_certificates(self, input).map(|()| RemoveListenerCertificatesOutput)
    }

    fn create_rule(&mut self, input: CreateRuleInput) -> Result<CreateRuleOutput, Fault> {
        rule::create(self, input).map(|made| CreateRuleOutput { rules: Some(vec![made]) })
    }

    fn describe_rules(&mut self, input: DescribeRulesInput) -> Result<DescribeRulesOutput, Fault> {
        listed!(rule::select(self, &input)?, input => DescribeRulesOutput.rules)
    }

    fn modify_rule(&mut self, input: ModifyRuleInput) -> Result<ModifyRuleOutput, Fault> {
        rule::modify(self, input).map(|made| ModifyRuleOutput { rules: Some(vec![made]) })
    }

    fn delete_rule(&mut self, input: DeleteRuleInput) -> Result<DeleteRuleOutput, Fault> {
        rule::delete(self, &input.rule_arn).map(|()| DeleteRuleOutput)
    }

    fn set_rule_priorities(&mut self, input: SetRulePrioritiesInput) -> Result<SetRulePrioritiesOutput, Fault> {
        let rules = rule::set_priorities(self, input.rule_priorities)?;
        Ok(SetRulePrioritiesOutput { rules: Some(rules) })
    }

    fn create_target_group(&mut self, input: CreateTargetGroupInput) -> Result<CreateTargetGroupOutput, Fault> {
        target_group::create(self, input).map(|made| CreateTargetGroupOutput { target_groups: Some(vec![made]) })
    }

    fn describe_target_groups(
        &mut self,
        input: DescribeTargetGroupsInput,
    ) -> Result<DescribeTargetGroupsOutput, Fault> {
        listed!(target_group::select(self, &input)?, input => DescribeTargetGroupsOutput.target_groups)
    }

    fn modify_target_group(&mut self, input: ModifyTargetGroupInput) -> Result<ModifyTargetGroupOutput, Fault> {
        target_group::modify(self, input).map(|made| ModifyTargetGroupOutput { target_groups: Some(vec![made]) })
    }

    fn delete_target_group(&mut self, input: DeleteTargetGroupInput) -> Result<DeleteTargetGroupOutput, Fault> {
        target_group::delete(self, &input.target_group_arn).map(|()| DeleteTargetGroupOutput)
    }

    fn describe_target_group_attributes(
        &mut self,
        input: DescribeTargetGroupAttributesInput,
    ) -> Result<DescribeTargetGroupAttributesOutput, Fault> {
        let found = attributes::of_group(self, &input.target_group_arn)?;
        Ok(DescribeTargetGroupAttributesOutput { attributes: Some(found) })
    }

    fn modify_target_group_attributes(
        &mut self,
        input: ModifyTargetGroupAttributesInput,
    ) -> Result<ModifyTargetGroupAttributesOutput, Fault> {
        let found = attributes::modify_group(self, input)?;
        Ok(ModifyTargetGroupAttributesOutput { attributes: Some(found) })
    }

    fn register_targets(&mut self, input: RegisterTargetsInput) -> Result<RegisterTargetsOutput, Fault> {
        target::register(self, input).map(|()| RegisterTargetsOutput)
    }

    fn deregister_targets(&mut self, input: DeregisterTargetsInput) -> Result<DeregisterTargetsOutput, Fault> {
        target::deregister(self, &input).map(|()| DeregisterTargetsOutput)
    }

    fn describe_target_health(
        &mut self,
        input: DescribeTargetHealthInput,
    ) -> Result<DescribeTargetHealthOutput, Fault> {
        let found = target::health(self, &input)?;
        Ok(DescribeTargetHealthOutput { target_health_descriptions: Some(found) })
    }

    fn create_trust_store(&mut self, input: CreateTrustStoreInput) -> Result<CreateTrustStoreOutput, Fault> {
        trust_store::create(self, input).map(|made| CreateTrustStoreOutput { trust_stores: Some(vec![made]) })
    }

    fn describe_trust_stores(&mut self, input: DescribeTrustStoresInput) -> Result<DescribeTrustStoresOutput, Fault> {
        listed!(trust_store::select(self, &input)?, input => DescribeTrustStoresOutput.trust_stores)
    }

    fn modify_trust_store(&mut self, input: ModifyTrustStoreInput) -> Result<ModifyTrustStoreOutput, Fault> {
        trust_store::modify(self, input).map(|made| ModifyTrustStoreOutput { trust_stores: Some(vec![made]) })
    }

    fn delete_trust_store(&mut self, input: DeleteTrustStoreInput) -> Result<DeleteTrustStoreOutput, Fault> {
        trust_store::delete(self, &input.trust_store_arn).map(|()| DeleteTrustStoreOutput)
    }

    fn describe_trust_store_associations(
        &mut self,
        input: DescribeTrustStoreAssociationsInput,
    ) -> Result<DescribeTrustStoreAssociationsOutput, Fault> {
        let found = trust_store::associations(self, &input.trust_store_arn)?;
        listed!(found, input => DescribeTrustStoreAssociationsOutput.trust_store_associations)
    }

    fn get_trust_store_ca_certificates_bundle(
        &mut self,
        input: GetTrustStoreCaCertificatesBundleInput,
    ) -> Result<GetTrustStoreCaCertificatesBundleOutput, Fault> {
        let location = trust_store::location(self, &input.trust_store_arn)?;
        Ok(GetTrustStoreCaCertificatesBundleOutput { location: Some(location) })
    }

    fn add_trust_store_revocations(
        &mut self,
        input: AddTrustStoreRevocationsInput,
    ) -> Result<AddTrustStoreRevocationsOutput, Fault> {
        let added = revocation::add(self, &input)?;
        Ok(AddTrustStoreRevocationsOutput { trust_store_revocations: Some(added) })
    }

    fn describe_trust_store_revocations(
        &mut self,
        input: DescribeTrustStoreRevocationsInput,
    ) -> Result<DescribeTrustStoreRevocationsOutput, Fault> {
        let found = revocation::select(self, &input)?;
        listed!(found, input => DescribeTrustStoreRevocationsOutput.trust_store_revocations)
    }

    fn remove_trust_store_revocations(
        &mut self,
        input: RemoveTrustStoreRevocationsInput,
    ) -> Result<RemoveTrustStoreRevocationsOutput, Fault> {
        revocation::remove(self, &input).map(|()| RemoveTrustStoreRevocationsOutput)
    }

    fn get_trust_store_revocation_content(
        &mut self,
        input: GetTrustStoreRevocationContentInput,
    ) -> Result<GetTrustStoreRevocationContentOutput, Fault> {
        let location = revocation::location(self, &input.trust_store_arn, input.revocation_id)?;
        Ok(GetTrustStoreRevocationContentOutput { location: Some(location) })
    }

    fn describe_tags(&mut self, input: DescribeTagsInput) -> Result<DescribeTagsOutput, Fault> {
        let found = tags::describe(self, &input.resource_arns)?;
        Ok(DescribeTagsOutput { tag_descriptions: Some(found) })
    }

    fn add_tags(&mut self, input: AddTagsInput) -> Result<AddTagsOutput, Fault> {
        tags::add(self, &input.resource_arns, input.tags).map(|()| AddTagsOutput)
    }

    fn remove_tags(&mut self, input: RemoveTagsInput) -> Result<RemoveTagsOutput, Fault> {
        tags::remove(self, &input.resource_arns, &input.tag_keys).map(|()| RemoveTagsOutput)
    }

    fn describe_ssl_policies(&mut self, input: DescribeSSLPoliciesInput) -> Result<DescribeSSLPoliciesOutput, Fault> {
        listed!(catalog::ssl_policies(&input)?, input => DescribeSSLPoliciesOutput.ssl_policies)
    }

    fn describe_account_limits(
        &mut self,
        input: DescribeAccountLimitsInput,
    ) -> Result<DescribeAccountLimitsOutput, Fault> {
        listed!(catalog::limits(), input => DescribeAccountLimitsOutput.limits)
    }
}

/// At most this many items on a page (ELBv2 API reference, PageSize, 2026-11).
const PAGE_MAX: usize = 400;

fn page<T>(items: Vec<T>, size: Option<i64>, marker: Option<&str>) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(PAGE_MAX);
    paging::page(items, Some(size), marker).map_err(|paging::BadToken| fault::validation("Invalid marker"))
}
